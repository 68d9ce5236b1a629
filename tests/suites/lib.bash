# Shared by the suites: packages, source packages, a closed place to run in, results.
#
# A suite is a file NAME.sh that defines
#   packages        the Debian packages that it needs
#   prepare         builds once, into $cache; may use the network
#   run [CASE...]   runs all its cases, or only those named; one result() a case; preloads what it starts by "${preload[@]}"
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # once.sh reads and sets

export LC_ALL=C.UTF-8 TZ=UTC DEBIAN_FRONTEND=noninteractive
scratch=${SCRATCH:-/tmp/lastack-suites}

install_packages() {
	local package missing=()
	for package; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"
}

# Source packages by sources and lists of our own: the machine's stay as they are.
apt_sources() {
	local own=$scratch/apt file
	printf '%s\n' -o "Dir::Etc::sourcelist=$own/sources.list" -o "Dir::Etc::sourceparts=$own/parts" \
		-o "Dir::State::lists=$own/lists" -o APT::Sandbox::User=root
	[ -e "$own/ready" ] && return
	mkdir -p "$own/parts" "$own/lists/partial"
	: >"$own/sources.list"
	for file in /etc/apt/sources.list.d/*.sources; do
		[ -e "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$own/parts/$(basename "$file")"
	done
	[ -e /etc/apt/sources.list ] && sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$own/sources.list"
	apt-get -o Dir::Etc::sourcelist="$own/sources.list" -o Dir::Etc::sourceparts="$own/parts" \
		-o Dir::State::lists="$own/lists" -o APT::Sandbox::User=root update -qq >&2 && touch "$own/ready"
}

# fetch_source PACKAGE: unpack it below $cache and print where.
fetch_source() {
	local options version folder
	mapfile -t options < <(apt_sources)
	install_packages dpkg-dev >&2
	mkdir -p "$cache/source"
	# Mirrors may lack the newest version's files: the newest that is there.
	for version in $(apt-cache "${options[@]}" showsrc "$1" | awk '/^Version:/ { print $2 }' | sort -Vru); do
		(cd "$cache/source" && apt-get "${options[@]}" source -qq "$1=$version") >&2 && break
	done
	folder=$(find "$cache/source" -mindepth 1 -maxdepth 1 -type d | head -n 1)
	[ -n "$folder" ] || {
		echo "no source package $1" >&2
		return 1
	}
	echo "$folder"
}

# result CASE pass|fail|skip. A case that is told twice has failed when it once did.
result() {
	printf '%s\t%s\n' "${1//[[:space:]]/_}" "$2" >>"$results"
}

# at_most N: wait until fewer than N background jobs run.
at_most() {
	while [ "$(jobs -rp | wc -l)" -ge "$1" ]; do wait -n; done
}

as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
