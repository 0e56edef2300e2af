#!/usr/bin/env bash
# Fetches the servers that the tests run against and unpacks them into DIR. Nothing is installed, root is not needed.
#
#   usage: tests/servers.sh DIR      (the tests look in .servers, or where SEATLOCK_SERVERS points)
#
# DIR/redis-server-7                          Redis 7, from Debian 12
# DIR/redis-server-8, DIR/valkey-server-8     Redis 8 and Valkey 8, from Debian 13
# DIR/rabbitmq-3                              RabbitMQ 3 and its Erlang, from Debian 12
# DIR/kafka-4                                 Kafka 4, by Maven from where this machine's own Maven gets its jars
#
# The packages come from the archive that this machine's own apt is set up for, and apt checks their signatures.
# Each Redis runs with the C library of its own Debian release, and RabbitMQ with the system's, so any Debian from 12 on
# will do; Kafka needs Java 17 and Maven. A server that is there already stays. Where the platform does not allow this,
# the reason is printed and the exit status is 0: the tests that need a server say themselves what is missing.
set -euo pipefail

say() { printf 'servers: %s\n' "$*"; }
not_here() { say "nothing fetched: $*"; exit 0; }

dir=${1:?usage: tests/servers.sh DIR}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# The version that a server of DIR reports, or nothing if it does not run.
version_of() {
  [ -x "$dir/$1" ] && "$dir/$1" --version 2>/dev/null | sed -n 's/.* v=\([0-9.]*\).*/\1/p'
}

# Prints the base address of the Debian archive in apt's own set-up: that of the source which has the release itself
# (not its updates or its security fixes).
archive() {
  apt-get --print-uris update 2>/dev/null |
    sed -nE "s#^'([^']+)/dists/(${codename:-stable}|oldstable|stable|testing|unstable|sid)/InRelease' .*#\1#p" | head -n 1
}

# Points apt at one release, with its lists, cache and status below $work. The hooks that a machine may have set up
# for its own updates are left out.
configure_apt() {
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts"
  local keys=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb $( [ -r $keys ] && echo "[signed-by=$keys]" ) $archive $1 main" >"$work/release.list"
  cat >"$work/apt.conf" <<CONF
Dir::Etc::sourcelist "$work/release.list";
Dir::Etc::sourceparts "$work/parts";
Dir::State::lists "$work/lists";
Dir::State::status "/dev/null";
Dir::Cache "$work/cache";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
CONF
}

# The packages themselves and, of all that they need, however deep, those whose names begin like PATTERN.
with_needed() {
  local pattern=$1
  shift
  apt-cache -c="$work/apt.conf" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
    --no-replaces --no-enhances "$@" | grep -E "^($pattern)[a-z0-9.+-]*\$" | grep -v perl | sort -u
}

# unpack RELEASE PATTERN PACKAGE...: unpacks into $work/root.
unpack() {
  local release=$1 log=$work/log
  shift
  configure_apt "$release"
  apt-get -c="$work/apt.conf" -qq update >"$log" 2>&1 && with_needed "$@" >"$work/names" 2>"$log" &&
    (cd "$work/cache/archives" && xargs apt-get -c="$work/apt.conf" -qq download <"$work/names") >"$log" 2>&1 ||
    { say "$release: apt could not fetch ${*:2}: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log")"; return 1; }
  mkdir -p "$work/root"
  for package in "$work/cache/archives"/*.deb; do dpkg -x "$package" "$work/root"; done
  rm -rf "$work/root/usr/share" "$work/root/etc" "$work/root/var"
  say "$release: unpacked $(wc -l <"$work/names") packages"
}

# install NAME: makes $work/root DIR/NAME, replaced as a whole.
install() {
  rm -rf "${dir:?}/$1"
  mv "$work/root" "$dir/$1"
}

# wrap NAME RELEASE PROGRAM: writes DIR/NAME, which finds everything relative to itself, so DIR may be moved.
wrap() {
  local loader
  loader=$(cd "$dir/$2" && find . -path '*/lib/*/ld-linux*.so*' | head -n 1)
  loader=${loader#./}
  local triplet=${loader%/*}
  triplet=${triplet##*/}
  cat >"$work/$1" <<WRAPPER
#!/bin/sh
here=\${0%/*}/$2
exec "\$here/$loader" --library-path "\$here/lib/$triplet:\$here/usr/lib/$triplet" "\$here/usr/bin/$3" "\$@"
WRAPPER
  chmod +x "$work/$1"
  mv "$work/$1" "$dir/$1"
}

# fetch RELEASE NAME=PROGRAM...: makes sure of these servers of one Debian release. A wrapper that does not run with
# the major version in its name is taken away again.
fetch() {
  local release=$1 pair name missing=()
  shift
  for pair in "$@"; do
    name=${pair%=*}
    if [ "$(version_of "$name" | cut -d. -f1)" = "${name##*-}" ]; then
      say "$name: $(version_of "$name") is there"
    else
      missing+=("$pair")
    fi
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  work=$(mktemp -d "$dir/.fetch.XXXXXX")
  # the whole release is unpacked anew, so all its programs are asked for
  if unpack "$release" 'lib|lua|zlib|redis-|valkey-' "${@#*=}"; then
    install "$release"
    for pair in "$@"; do
      name=${pair%=*}
      wrap "$name" "$release" "${pair#*=}"
      if [ "$(version_of "$name" | cut -d. -f1)" = "${name##*-}" ]; then
        say "$name: $(version_of "$name") fetched"
      else
        say "$name: the packages of $release do not run here, or have another version"
        rm -f "$dir/$name"
      fi
    done
  fi
  rm -rf "$work"
}

# Whether DIR/rabbitmq-3 has an Erlang that runs, with the library for its cryptography.
rabbitmq_runs() {
  [ -x "$dir/rabbitmq-3/bin/rabbitmq-server" ] &&
    HOME="$dir/rabbitmq-3" "$dir/rabbitmq-3/bin/erl" -noinput -eval 'ok = crypto:start(), halt(0).' >/dev/null 2>&1
}

# RabbitMQ with its Erlang. Erlang starts programs of its own, which take the system's loader, so it runs with the
# system's C library and only finds beside it what the system may not have. bin/ finds all relative to itself.
fetch_rabbitmq() {
  if rabbitmq_runs; then
    say "rabbitmq-3: is there"
    return 0
  fi
  work=$(mktemp -d "$dir/.fetch.XXXXXX")
  if unpack bookworm 'erlang-|rabbitmq-server|libssl3|libtinfo6|libstdc|libgcc-s1|zlib1g' rabbitmq-server; then
    local root=$work/root
    mkdir -p "$root/bin" "$root/libraries"
    find "$root" -name 'lib*.so.*' ! -path '*/erlang/*' ! -path "$root/libraries/*" -exec mv -t "$root/libraries" {} +
    cat >"$root/bin/erl" <<'WRAPPER'
#!/bin/sh
here=$(cd "${0%/*}/.." && pwd)
ROOTDIR=$here/usr/lib/erlang
for BINDIR in "$ROOTDIR"/erts-*/bin; do :; done
EMU=beam PROGNAME=erl LD_LIBRARY_PATH=$here/libraries
export ROOTDIR BINDIR EMU PROGNAME LD_LIBRARY_PATH
exec "$BINDIR/erlexec" "$@"
WRAPPER
    cat >"$root/bin/epmd" <<'WRAPPER'
#!/bin/sh
here=$(cd "${0%/*}/.." && pwd)
for epmd in "$here"/usr/lib/erlang/erts-*/bin/epmd; do :; done
exec "$epmd" "$@"
WRAPPER
    cat >"$root/bin/rabbitmq-server" <<'WRAPPER'
#!/bin/sh
here=$(cd "${0%/*}/.." && pwd)
for server in "$here"/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server; do :; done
PATH=$here/bin:$PATH
export PATH
exec "$server" "$@"
WRAPPER
    chmod +x "$root"/bin/*
    install rabbitmq-3
    if rabbitmq_runs; then
      say "rabbitmq-3: fetched"
    else
      say "rabbitmq-3: the Erlang of Debian 12 does not run here"
      rm -rf "$dir/rabbitmq-3"
    fi
  fi
  rm -rf "$work"
}

KAFKA=4.2.0

kafka_runs() {
  java -cp "$dir/kafka-4/*" kafka.Kafka --version 2>/dev/null | grep -q '^4\.'
}

# Kafka's jars with all that they need, and one that writes its log to standard error.
fetch_kafka() {
  for tool in java mvn; do
    command -v "$tool" >/dev/null || { say "kafka-4: not fetched: there is no $tool"; return 0; }
  done
  if kafka_runs; then
    say "kafka-4: is there"
    return 0
  fi
  work=$(mktemp -d "$dir/.fetch.XXXXXX")
  cat >"$work/pom.xml" <<POM
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>tests</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
  if mvn --batch-mode --quiet --file "$work/pom.xml" -Dmaven.repo.local="$work/jars" -DincludeScope=runtime \
    -DoutputDirectory="$work/root" dependency:copy-dependencies >"$work/log" 2>&1; then
    install kafka-4
    if kafka_runs; then
      say "kafka-4: $KAFKA fetched"
    else
      say "kafka-4: Kafka $KAFKA does not run here; it needs Java 17"
      rm -rf "$dir/kafka-4"
    fi
  else
    say "kafka-4: Maven could not fetch it: $(grep -m 1 'ERROR' "$work/log" | cut -c 1-300)"
  fi
  rm -rf "$work"
}

work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT

fetch_kafka

[ "$(uname -s)" = Linux ] || not_here "the packages are for Linux, this is $(uname -s)"
for tool in apt-get apt-cache dpkg; do
  command -v "$tool" >/dev/null || not_here "there is no $tool (this needs Debian)"
done
id=$(. /etc/os-release && echo "${ID:-}")
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[ "$id" = debian ] || not_here "the packages come from Debian's archive, and this is ${id:-an unknown system}"
archive=$(archive)
[ -n "$archive" ] || not_here "apt has no source here for Debian ${codename:-stable} itself"

fetch bookworm redis-server-7=redis-server
fetch trixie redis-server-8=redis-server valkey-server-8=valkey-server
fetch_rabbitmq
