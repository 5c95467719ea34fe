#!/usr/bin/env bash
# header_manual.sh HEADER MANUAL COUNT: the manual names every function, macro, constant, struct and field of the header,
# which has more than COUNT, and its synopsis fits into 80 columns.
set -uo pipefail

header=$1 manual=$2 least=$3 missing=0
library=$(basename "$header" .h) macros=$(basename "${header^^}" .H)

# The manual's words: "\-" is a hyphen, "\fI" changes the font.
words=$(sed 's/\\f[BIPR]/ /g; s/\\-/-/g; s/[^A-Za-z0-9_]/ /g' "$manual" | tr -s ' ' '\n' | sort -u)

# The header without its comments.
code=$(sed 's,/\*.*\*/,,; /\/\*/,/\*\//d' "$header")

names() {
	# what begins with the library's prefix, but for what is said to be internal: DBPOOL_STRING_, DBPOOL_API
	grep -oE "\\b($library|$macros)_[A-Za-z0-9_]+" <<<"$code" |
		grep -vE "^${macros}_(H|API|CHECKED|STRING|STRING_)\$"
	# the fields of structs; those that end with _ are internal
	sed -n '/^struct .*{$/,/^};$/p' <<<"$code" | grep ';' | grep -oE '(\(\*)?[a-z_]+(\)\(.*\))?[,;]' |
		grep -oE '[a-z_]+' | grep -vE '_$|^(void|data)$'
}

count=0
while read -r name; do
	count=$((count + 1))
	grep -qx "$name" <<<"$words" || {
		echo "$manual does not name $name"
		missing=$((missing + 1))
	}
done < <(names | sort -u)

[ "$count" -gt "$least" ] || {
	echo "only $count names found in $header"
	exit 1
}

# The synopsis is indented by 7 columns. A terminal breaks a longer line in the middle of a word.
wide=$(sed -n '/^\.SH SYNOPSIS/,/^\.SH DESCRIPTION/s/^\.BI //p' "$manual" |
	sed 's/" \([^"]*\) "/\1/g; s/" *//g; s/ );$/);/' | grep -E '.{74}')
[ -z "$wide" ] || {
	echo "$manual: wider than 80 columns: $wide"
	exit 1
}
[ "$missing" = 0 ]
