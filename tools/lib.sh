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

# Debian's postgresql makes a cluster on port 5432 and starts it as it is installed. Nobody asked for
# one: this keeps it from that, unless PostgreSQL is here already.
NO_CLUSTER=/etc/postgresql-common/createcluster.d/zz-dbtop.conf

install_quietly() {
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends "$@" >&2
}

# install_packages PACKAGE...: does nothing when all are here.
install_packages() {
	local missing
	mapfile -t missing < <(missing_packages "$@")
	[ "${#missing[@]}" -gt 0 ] || return 0
	command -v apt-get >/dev/null ||
		die "needs these, and there is no apt-get to install them: ${missing[*]}"
	if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
		die "run as root: apt-get install -y ${missing[*]}"
	fi
	say "installs: ${missing[*]}"
	as_root apt-get update -q >&2 || die "apt-get update failed"
	if [[ " ${missing[*]} " == *" postgresql "* ]]; then
		install_quietly postgresql-common || die "apt-get install failed"
		as_root mkdir -p "${NO_CLUSTER%/*}"
		echo 'create_main_cluster = false' | as_root tee "$NO_CLUSTER" >/dev/null
	fi
	local status=0
	install_quietly "${missing[@]}" || status=$?
	as_root rm -f "$NO_CLUSTER"
	[ "$status" = 0 ] || die "apt-get install failed"
}

# Read by the scripts that source this one.
# shellcheck disable=SC2034
BUILD_PACKAGES=(gcc libc6-dev meson ninja-build pkg-config libncurses-dev libpq-dev libyaml-dev
	libuv1-dev libjansson-dev libcurl4-openssl-dev libsqlite3-dev libmicrohttpd-dev libcmocka-dev
	libvterm-dev postgresql)

# configure FOLDER [MESON OPTION...]: sets a build folder up once.
configure() {
	local folder=$1
	shift
	[ -f "$folder/build.ninja" ] || meson setup "$folder" "$@"
}
