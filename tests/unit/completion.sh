#!/usr/bin/env bash
# The completions and the manual are read by those they are for: completion.sh BASH ZSH FISH PAGE...
set -euo pipefail

fail() {
	echo "$*" >&2
	exit 1
}

bash_file=$1 zsh_file=$2 fish_file=$3
shift 3
bash -n "$bash_file"
zsh -n "$zsh_file"
fish -n "$fish_file"

# shellcheck source=/dev/null
. "$bash_file"

# complete WORD...: what the last word may become
complete_words() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_dbtop
	printf '%s\n' "${COMPREPLY[@]}"
}

[ "$(complete_words dbtop --theme sol)" = solarized ] || fail "--theme sol is not completed"
[ "$(complete_words dbtop --kill)" = --kill-leaked ] || fail "--kill is not completed"
[ "$(complete_words dbtop --config tools/lib)" = tools/lib.sh ] || fail "files are not completed"
complete_words dbtop --shutdown-test -- bas | grep -x bash >/dev/null || fail "commands are not completed"

for page; do
	mandoc -Tlint -Wwarning "$page" || fail "$page is no good manual page"
done
