#!/bin/sh
# One application with a fault in its shutdown, in shell: dying.sh CONNINFO BEHAVIOUR
#
# It has two connections: those of two psql, which execute what it writes into their pipes. On
# SIGTERM, which the shell alone gets, it does what the behaviour says.
set -u
conninfo=$1
folder=$(mktemp -d)
signalled=

# The psql of Debian's PATH is a script that looks for one of these.
psql=psql
for found in /usr/lib/postgresql/*/bin/psql; do
	[ ! -x "$found" ] || psql=$found
done

# open_one NUMBER: starts a psql that reads from this descriptor. Its pid is in $last.
open_one() {
	mkfifo "$folder/$1"
	# the pipe last: it is open when all is
	"$psql" -qAtX "$conninfo" >"$folder/$1.out" 2>&1 3>&- 4>&- <"$folder/$1" &
	last=$!
	eval "exec $1>\"\$folder/$1\""
}

# await_begun NUMBER: until that psql has written so.
await_begun() {
	until grep -q begun "$folder/$1.out"; do
		sleep 0.01
	done
}

open_both() {
	open_one 3
	first=$last
	open_one 4
	second=$last
	rm -rf "$folder"
}

await_signal() {
	rm -rf "$folder"
	while [ -z "$signalled" ]; do
		sleep 0.02
	done
}

work() {
	while [ -z "$signalled" ]; do
		echo 'SELECT 1;' >&3
		echo 'SELECT 1;' >&4
		sleep 0.02
	done
}

# psql ends at the end of its input.
close_both() {
	exec 3>&- 4>&-
	wait "$first" "$second"
}

trap 'signalled=1' TERM
case $2 in
closed)
	open_both
	work
	close_both
	;;
left-sessions)
	open_one 3
	first=$last
	echo "DO \$\$BEGIN RAISE NOTICE 'begun'; PERFORM pg_sleep(600); END\$\$;" >&3
	await_begun 3
	open_one 4
	await_signal
	kill -KILL "$first"
	exec 3>&- 4>&-
	wait "$last"
	;;
child)
	open_one 3
	# it keeps the first pipe open
	sleep 600 >&3 3>&- 4>&- &
	open_one 4
	await_signal
	exec 3>&- 4>&-
	wait "$last"
	;;
child-idle)
	sleep 600 >/dev/null 2>&1 &
	open_both
	work
	close_both
	;;
never-exited)
	open_both
	work
	close_both
	while :; do
		sleep 1
	done
	;;
ignored)
	trap '' TERM
	open_both
	work
	;;
lost-writes)
	"$DYING_POOL" "$conninfo" flush-late &
	last=$!
	await_signal
	kill -TERM "$last"
	wait "$last"
	;;
reconnected)
	open_both
	work
	exec 4>&-
	wait "$second"
	"$psql" -qAtX -c 'SELECT 1' "$conninfo" >/dev/null 3>&-
	exec 3>&-
	wait "$first"
	;;
died)
	# the signal is for all of them
	trap - TERM
	open_both
	work
	;;
lost-write)
	open_one 3
	first=$last
	echo 'CREATE TEMPORARY TABLE outbox (id int); BEGIN; INSERT INTO outbox VALUES (1);' >&3
	printf '%s\n' '\echo begun' >&3
	await_begun 3
	open_one 4
	await_signal
	kill -KILL "$first" "$last"
	;;
*)
	echo "dying.sh: no such behaviour: $2" >&2
	exit 2
	;;
esac
exit 0
