# shellcheck shell=bash
# Shared by tools/demo and tools/test: says what is missing and installs it.

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

# Runs a command as root: as we are, or through sudo.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

missing_packages() {
	local package
	for package in "$@"; do
		# shellcheck disable=SC2016 # the ${…} is dpkg's
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			echo "$package"
	done
}

# Debian's postgresql makes a cluster on port 5432 as it is installed, and other packages start a service, now
# and at each boot: an sshd, a Prometheus on all addresses. The tests start their own. These files keep Debian
# from both during an installation; what is here already is left as it is.
NO_CLUSTER=/etc/postgresql-common/createcluster.d/zz-dbtop.conf
NO_SERVICE=/usr/sbin/policy-rc.d
declare -A SERVICES=([haproxy]=haproxy [openssh-server]=ssh [pgbouncer]=pgbouncer [pgpool2]=pgpool2
	[podman]='podman podman.socket podman-restart podman-auto-update podman-auto-update.timer'
	[prometheus]=prometheus)

write_as_root() {
	as_root mkdir -p "${1%/*}" && as_root tee "$1" >/dev/null && as_root chmod 755 "$1"
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends "$@" >&2
}

# install_quietly PACKAGE...: starts no service. A subshell, whose trap also runs on Ctrl-C.
install_quietly() (
	made=() services=()
	for package in "$@"; do
		# shellcheck disable=SC2206 # several words
		services+=(${SERVICES[$package]-})
	done
	trap '[ "${#made[@]}" = 0 ] || as_root rm -f "${made[@]}"' EXIT
	if [ "${#services[@]}" -gt 0 ] && [ ! -e "$NO_SERVICE" ]; then
		made+=("$NO_SERVICE")
		# shellcheck disable=SC2016 # expanded in there
		printf '#!/bin/sh\nfor word; do case ${word%%%%.*} in %s) exit 101 ;; esac; done\n' \
			"$(IFS='|' && echo "${services[*]}")" | write_as_root "$NO_SERVICE"
	fi
	if [[ " $* " == *" postgresql "* ]]; then
		apt_install postgresql-common || exit
		made+=("$NO_CLUSTER")
		echo 'create_main_cluster = false' | write_as_root "$NO_CLUSTER"
	fi
	apt_install "$@" || exit
	if [ "${#services[@]}" -gt 0 ] && command -v systemctl >/dev/null; then
		as_root systemctl disable --quiet "${services[@]}" >/dev/null 2>&1
		say "none of these services was started, or will be at boot: ${services[*]}"
	fi
)

# install_packages PACKAGE...: does nothing when all are here.
install_packages() {
	local missing by_hand
	mapfile -t missing < <(missing_packages "$@")
	[ "${#missing[@]}" -gt 0 ] || return 0
	command -v apt-get >/dev/null || die "needs these packages of Debian, and there is no apt-get: install \
what they have by other means, then build and test as HACKING.md says: ${missing[*]}"
	by_hand="To install them by hand, run as root:
  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}
Then run the same command again."
	if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
		die "some packages are missing, and there is no sudo to install them. $by_hand"
	fi
	say "installs by apt-get: ${missing[*]}"
	as_root apt-get update -q >&2 || die "apt-get update failed, as it says above. $by_hand"
	install_quietly "${missing[@]}" || die "apt-get install failed, as it says above; it needs a network. $by_hand"
}

# Read by the scripts that source this one: what the build needs (README.md has the same list), what
# -Dtests=true needs more, and what the live and screen tests run.
# shellcheck disable=SC2034
BUILD_PACKAGES=(gcc libc6-dev meson ninja-build pkg-config libncurses-dev libpq-dev libyaml-dev
	libuv1-dev libjansson-dev libcurl4-openssl-dev libsqlite3-dev libmicrohttpd-dev)
# shellcheck disable=SC2034
TEST_LIBRARIES=(libcmocka-dev libvterm-dev libzdb-dev)
# shellcheck disable=SC2034
TEST_PACKAGES=(postgresql pgbouncer prometheus systemd python3 python3-psycopg2 python3-psycopg
	python3-psycopg-pool python3-asyncpg python3-sqlalchemy python3-venv gunicorn pgpool2 iproute2
	nftables openssh-server socat haproxy stunnel4 podman runc mandoc zsh fish)

# configure FOLDER [MESON OPTION...]: sets a build folder up once.
configure() {
	local folder=$1
	shift
	[ -f "$folder/build.ninja" ] || meson setup "$folder" "$@"
}
