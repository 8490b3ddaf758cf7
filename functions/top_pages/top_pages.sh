#!/bin/sh
# Counts the requests for each page in a web server's log (the "common" or "combined" format), and returns the pages that
# were asked for most, the first one first. `cloudfunc logs top_pages` says how many lines were no requests.
#
#     cloudfunc invoke top_pages --data @access.log --content-type text/plain
set -eu

# `"GET /page?query HTTP/1.1"` is the sixth field and those after it. An exit code other than 0 is a failure; that of a
# program in the middle of a pipe would not count.
counts=$(awk '
  $6 ~ /^"[A-Z]+$/ && $7 ~ /^\// { sub(/[?#].*/, "", $7); count[$7]++; requests++; next }
  { others++ }
  END {
    if (!requests) { print "there is no request in what was sent" >"/dev/stderr"; exit 2 }
    if (others) print "lines that are no requests: " others >"/dev/stderr"
    for (page in count) print count[page], page
  }
')
echo "$counts" | sort -k1,1nr -k2 | head -n "$PAGES"
