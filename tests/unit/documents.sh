#!/usr/bin/env bash
# documents.sh BUILD: the documents name what there is: links, their anchors, files, functions, layers and tests.
set -uo pipefail

export LC_ALL=C
build=$1
faults=0

fault() {
	echo "$1: $2"
	faults=$((faults + 1))
}

# What stands in backticks, one a line; the blocks between ``` do not count.
terms() {
	awk -F '`' '/^```/ { block = !block; next } !block { for (i = 2; i <= NF; i += 2) print $i }' "$1" |
		sort -u
}

# What the documents name: lines of a kind, a document and a word. Kinds are a heading's anchor, the target of a
# link to no other host, a term in backticks, and a test: by a name that only tests have, as what was *Tested*, or
# in a command, behind "meson test -C FOLDER", where it is neither an option nor an option's value.
list_names() {
	awk 'function put(kind, word) { print kind "\t" FILENAME "\t" word }
		function put_terms(kind, text, pattern,   parts, n, i) {
			n = split(text, parts, "`")
			for (i = 2; i <= n; i += 2)
				if (parts[i] ~ pattern)
					put(kind, parts[i])
		}
		FNR == 1 { block = on = 0 }
		/^- |^#|^$/ { on = 0 }
		/^#+ / && !block {
			anchor = tolower($0)
			sub(/^#+ /, "", anchor)
			gsub(/[^a-z0-9 _-]/, "", anchor)
			gsub(/ /, "-", anchor)
			put("anchor", anchor)
		}
		{
			for (rest = $0; match(rest, /\]\([^)]*\)/); rest = substr(rest, RSTART + RLENGTH)) {
				link = substr(rest, RSTART + 2, RLENGTH - 3)
				if (link !~ /^https?:/)
					put("link", link)
			}
			for (rest = $0; match(rest, /meson test -C [^`#]*/); rest = substr(rest, RSTART + RLENGTH)) {
				command = substr(rest, RSTART, RLENGTH)
				gsub(/ --?(suite|setup|t) [^ ]*/, "", command)
				n = split(command, words, " ")
				for (i = 5; i <= n; i++)
					if (words[i] !~ /^-/)
						put("test", words[i])
			}
		}
		/^```/ { block = !block; next }
		!block {
			put_terms("term", $0, ".")
			put_terms("test", $0, "^(live|screen|seeds|exported|header_manual)-[a-z0-9_-]*$")
			for (rest = $0; match(rest, /\*(Tested|Not protected)\*/); rest = substr(rest, RSTART + RLENGTH)) {
				if (on)
					put_terms("test", substr(rest, 1, RSTART - 1), "^[a-z][a-z0-9_-][a-z0-9_-]+$")
				on = substr(rest, RSTART, RLENGTH) == "*Tested*"
			}
			if (on)
				put_terms("test", rest, "^[a-z][a-z0-9_-][a-z0-9_-]+$")
		}' "$@" | sort -u
}

# A file by the end of its path: base/mem.c for src/base/mem.c.
files=$(find src tests tools docs examples -type f)
is_file() {
	[ -e "$1" ] || [[ $files =~ /"$1"($'\n'|$) ]]
}

# All names in the sources, one a line.
names=$(find src tests python -name '*.[ch]' -exec cat {} + -o -name '*.py' -exec cat {} + | tr -cs 'A-Za-z0-9_' '\n' | sort -u)
is_name() {
	[[ $'\n'$names$'\n' == *$'\n'"$1"$'\n'* ]]
}

# The names of all tests and benchmarks, one a line.
tests=$(cat "$build"/meson-info/intro-{tests,benchmarks}.json | grep -o '"name": "[^"]*"' | cut -d '"' -f 4 | sort -u)
[ "$(wc -l <<<"$tests")" -gt 200 ] || fault "$build" "its tests are not found"

# is_test NAME: also of a function that cmocka runs, and what PostgreSQL calls pg_… is none.
is_test() {
	[[ $1 == pg_* || $'\n'$tests$'\n' == *$'\n'"$1"$'\n'* ]] ||
		grep -qr --include='*.c' "^static void $1(void \\*\\*state)" tests
}

declare -A anchors=()
check_link() {
	local target=./$1
	target=${target%/*}/${2%%#*}
	[ "${2%%#*}" ] || target=./$1
	[ -e "$target" ] || fault "$1" "there is no $2"
	[[ $2 != *'#'* || ${anchors[$(realpath "$target")#${2#*#}]-} ]] ||
		fault "$1" "there is no heading for $2"
}

check_term() {
	if [[ $2 =~ ^[a-z_0-9/.-]+\.(c|h|sh|py|tsv|yaml|svg|md|map|supp)$ ]]; then
		is_file "$2" || fault "$1" "there is no file $2"
	elif [[ $2 =~ ^(src|tests|tools|docs)/[a-z_0-9/.-]*$ ]]; then
		[ -e "$2" ] || fault "$1" "there is no $2"
	elif [[ $2 =~ ^([a-z][a-z_0-9]*)\(\)$ ]]; then
		is_name "${BASH_REMATCH[1]}" || fault "$1" "there is no function $2"
	fi
}

documents=(README.md HACKING.md CHANGELOG.md python/README.md docs/*.md docs/prometheus/*.md)
for document in "${documents[@]}"; do
	[ -s "$document" ] || fault "$document" "is missing or empty"
done
count=0
while IFS=$'\t' read -r kind document word; do
	count=$((count + 1))
	case $kind in
	anchor) anchors[$PWD/$document#$word]=yes ;;
	link) check_link "$document" "$word" ;;
	term) check_term "$document" "$word" ;;
	test) is_test "$word" || fault "$document" "there is no test $word" ;;
	esac
done < <(list_names "${documents[@]}")
[ "$count" -gt 1000 ] || fault documents "name only $count things"

# Each fuzz target has its row.
for target in tests/fuzz/fuzz_*.c; do
	target=${target##*/fuzz_}
	grep -q "^| \`${target%.c}\` |" docs/reliability.md || fault docs/reliability.md "the target ${target%.c} is missing"
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

# The packages that README.md has for the build are those that the tools install for it.
packages=$(. tools/lib.sh && echo "${BUILD_PACKAGES[*]}")
[ "$packages" = "$(sed -n '/^sudo apt install /,/[^\\]$/p' README.md | tr -d '\\' | xargs | cut -d ' ' -f 4-)" ] ||
	fault README.md "does not have the packages of tools/lib.sh: $packages"

# Each stage of tools/test is in HACKING.md.
stages=$'\n'$(terms HACKING.md)$'\n'
for stage in $(sed -n 's/^ALL_STAGES=(\(.*\))$/\1/p' tools/test); do
	[[ $stages == *$'\n'"$stage"$'\n'* ]] || fault HACKING.md "the stage $stage is missing"
done

[ "$faults" = 0 ]
