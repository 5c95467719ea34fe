#!/usr/bin/env bash
# The documents name what there is: links, files, functions and layers.
set -uo pipefail

faults=0

fault() {
	echo "$1: $2"
	faults=$((faults + 1))
}

# The targets of links, without those of other hosts and without their #anchors.
links() {
	grep -o '](\([^)]*\))' "$1" | sed 's/^](//; s/)$//; s/#.*//' | grep -v '^https\?:' | grep . | sort -u
}

# What stands in backticks, one a line; the blocks between ``` do not count.
terms() {
	awk -F '`' '/^```/ { block = !block; next } !block { for (i = 2; i <= NF; i += 2) print $i }' "$1" |
		sort -u
}

# A file by the end of its path: base/mem.c for src/base/mem.c.
files=$(find src tests tools docs examples -type f)
is_file() {
	[ -e "$1" ] || [[ $files =~ /"$1"($'\n'|$) ]]
}

# All names in the sources, one a line.
names=$(find src tests -name '*.[ch]' -exec cat {} + | tr -cs 'A-Za-z0-9_' '\n' | sort -u)
is_name() {
	[[ $'\n'$names$'\n' == *$'\n'"$1"$'\n'* ]]
}

for document in README.md HACKING.md CHANGELOG.md docs/*.md; do
	[ -s "$document" ] || fault "$document" "is missing or empty"
	while read -r link; do
		[ -e "$(dirname "$document")/$link" ] || fault "$document" "there is no $link"
	done < <(links "$document")
	while read -r term; do
		if [[ $term =~ ^[a-z_0-9/.-]+\.(c|h|sh|py|tsv|yaml|svg|md|map|supp)$ ]]; then
			is_file "$term" || fault "$document" "there is no file $term"
		elif [[ $term =~ ^(src|tests|tools|docs)/[a-z_0-9/.-]*$ ]]; then
			[ -e "$term" ] || fault "$document" "there is no $term"
		elif [[ $term =~ ^([a-z][a-z_0-9]*)\(\)$ ]]; then
			is_name "${BASH_REMATCH[1]}" || fault "$document" "there is no function $term"
		fi
	done < <(terms "$document")
done

# Each layer links only layers of the rows below its own: the drawing of docs/architecture.md.
declare -A row=()
while read -r number layers; do
	for layer in $layers; do
		row[$layer]=$number
	done
done < <(sed -n 's/^ \([0-9]\)   /\1 /p' docs/architecture.md)
for folder in src/*/; do
	layer=$(basename "$folder")
	if [ -z "${row[$layer]-}" ]; then
		fault docs/architecture.md "the layer $layer is not drawn"
		continue
	fi
	while read -r other; do
		[ "$other" = "$layer" ] || [ "${row[$other]-9}" -lt "${row[$layer]}" ] ||
			fault docs/architecture.md "$layer includes $other, which is not drawn below it"
	done < <(sed -n 's,^#include "\([a-z]*\)/.*,\1,p' "$folder"*.[ch] | sort -u)
done

# Each field of the JSON is in docs/json.md.
fields=$'\n'$(terms docs/json.md)$'\n'
json_fields() {
	cat src/report/*.c | grep -o '{ "[a-z_0-9]*", FIELD_' | sed 's/{ "\(.*\)".*/\1/'
}
[ "$(json_fields | wc -l)" -gt 150 ] || fault docs/json.md "the fields of the JSON are not found"
while read -r field; do
	[[ $fields == *$'\n'"$field"$'\n'* ]] || fault docs/json.md "the field $field is missing"
done < <(json_fields | sort -u)

# Each stage of tools/test is in HACKING.md.
stages=$'\n'$(terms HACKING.md)$'\n'
for stage in $(sed -n 's/^ALL_STAGES=(\(.*\))$/\1/p' tools/test); do
	[[ $stages == *$'\n'"$stage"$'\n'* ]] || fault HACKING.md "the stage $stage is missing"
done

[ "$faults" = 0 ]
