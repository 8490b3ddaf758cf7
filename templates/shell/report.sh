#!/bin/sh
# The payload is the standard input, and what is printed is the result.
name=$(cat)
echo "Hello from a shell, ${name:-stranger}"
echo "called as $CLOUDFUNC_INVOCATION_ID" >&2
