#!/usr/bin/env bash
# exported.sh LIBRARY HEADER: the library exports the functions that its header declares, and no others, and can be loaded
# by dlopen().
set -uo pipefail

library=$1 header=$2

# The version of a symbol is after an @; a node of the version script is a symbol itself.
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub("@.*", "", $3); print $3 }' | LC_ALL=C sort -u)

# A declaration begins with NAME_API, and may go on in the next line.
declared=$(sed 's,/\*.*\*/,,; /\/\*/,/\*\//d' "$header" | tr '\n' ' ' | tr ';' '\n' |
	sed -n 's/^.*[A-Z]_API [^(]*[ *]\([a-z]\+_[a-z_]*\)(.*$/\1/p' | LC_ALL=C sort -u)

[ "$(wc -l <<<"$declared")" -gt 5 ] || {
	echo "only $(wc -l <<<"$declared") functions found in $header"
	exit 1
}
diff -u --label declared --label exported <(echo "$declared") <(echo "$exported") || exit 1

# dlopen() has little space for static TLS, and fails when other libraries have used it up.
if readelf -dW "$library" | grep STATIC_TLS; then
	echo "$library needs static TLS"
	exit 1
fi
