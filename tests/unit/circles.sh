#!/usr/bin/env bash
# circles.sh BUILD: within a layer, no file includes or calls itself by way of others; no two layers define the same name.
# A file is NAME.c together with NAME.h. Includes are read from the sources; calls, and the use of tables, from the
# symbols of the objects in BUILD.
set -uo pipefail

build=$1
faults=0

fault() {
	echo "$1"
	faults=$((faults + 1))
}

# "a b" for each file b that the file a of the layer includes.
includes() {
	grep -ho --with-filename "^#include \"$1/[a-z_0-9]*\.h\"" "src/$1/"*.[ch] |
		sed -n 's,^.*/\([a-z_0-9]*\)\.[ch]:#include ".*/\([a-z_0-9]*\)\.h"$,\1 \2,p'
}

# "a b" for each file b that defines a symbol which the file a of the layer uses.
calls() {
	nm -A "$build/src/$1"/lib*.p/*.c.o | sed -n 's,^.*/\([a-z_0-9]*\)\.c\.o:[0-9a-f ]* \([A-Z]\) \([^ ]*\)$,\1 \2 \3,p' |
		awk '$2 == "U" { used[$3] = used[$3] " " $1; next }
			{ home[$3] = $1 }
			END { for (name in home) {
				n = split(used[name], files, " ")
				for (i = 1; i <= n; i++)
					print files[i], home[name]
			} }'
}

# The files of a circle, one a line; nothing if there is none.
circles() {
	{ includes "$1"; calls "$1"; } | awk '$1 != $2' | sort -u | LC_ALL=C tsort 2>&1 >/dev/null |
		sed -n 's/^tsort: \([a-z_0-9]*\)$/\1/p' | sort -u
}

for folder in src/*/; do
	layer=$(basename "$folder")
	compgen -G "$build/src/$layer/lib*.p/*.c.o" >/dev/null || fault "$layer: $build has no objects of it"
	found=$(circles "$layer" | paste -sd ' ')
	[ -z "$found" ] || fault "$layer: a circle: $found"
done

# Two functions of one name in two static libraries are no error of the linker: it takes the first, for both.
while read -r name; do
	fault "two layers define $name"
done < <(nm --defined-only --extern-only "$build"/src/*/lib*.p/*.c.o | awk 'NF == 3 { print $3 }' | sort | uniq -d)

[ "$faults" = 0 ]
