#!/bin/sh
# Runs once per invocation. The payload is the standard input, what is printed is the result, and an exit code other than
# 0 is a failure. What goes to the standard error is in the log: `cloudfunc logs function_name`.
name=$(cat)
# An invocation without a payload has this one.
[ "$name" != '{}' ] || name=
echo "Hello ${name:-World}!"
echo "greeting ${name:-World} in invocation $CLOUDFUNC_INVOCATION_ID" >&2
