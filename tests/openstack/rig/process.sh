# Services as processes: defined once, started, stopped, paused and looked at by name. Sourced.
#
# A service leads a session of its own. Its pid file holds pid, start time and boot id, so a number that the kernel gave
# to somebody else is never taken for it; and every process of it carries RIG_SERVICE=<state>/<name> in its environment,
# by which what outlived its leader is found.

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }
give_up() { say "rig: $*" >&2; exit 1; }

declare -a service_names=()
declare -A service_ready=() service_command=()
# define NAME READY COMMAND…: READY is http:URL, tcp:PORT, a command, or - for "it runs".
define() {
  service_names+=("$1")
  service_ready[$1]=$2
  service_command[$1]=$(printf '%q ' "${@:3}")
}
defined() { [ -n "${service_command[$1]:-}" ]; }

boot_id() { cat /proc/sys/kernel/random/boot_id; }
# Field 22 of stat; the name in field 2 may hold blanks and brackets.
started_at() {
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  read -ra fields <<<"${stat##*) }"
  echo "${fields[19]}"
}
# The pid of a service that runs.
leader_of() {
  local pid begun boot
  read -r pid begun boot 2>/dev/null <"$run/$1.pid" || return 1
  [ "$boot" = "$(boot_id)" ] && [ "$(started_at "$pid")" = "$begun" ] || return 1
  # A zombie waits for whoever started it and does nothing any more.
  ! grep -qs '^State:.Z' "/proc/$pid/status" && echo "$pid"
}
running() { leader_of "$1" >/dev/null; }
members_of() {
  local leader
  {
    if leader=$(leader_of "$1"); then ps -o pid= -s "$leader"; fi
    grep -lzxsF "RIG_SERVICE=$RIG_STATE/$1" /proc/[0-9]*/environ | cut -d / -f 3
  } | tr -d ' ' | sort -un
}

# Where the cloud lives: its own namespaces under qemu, here otherwise. `hold` is the process that keeps them.
inside() {
  local holder
  if holder=$(leader_of hold); then nsenter -t "$holder" -n -m -- "$@"; else "$@"; fi
}

# spawn NAME COMMAND…: in the background, detached, its output in a log. Descriptor 9 is the lock of up and down.
spawn() {
  local name=$1 pid
  shift
  (
    cd "$data" && export RIG_SERVICE="$RIG_STATE/$name" && exec setsid "$@"
  ) >>"$logs/$name.log" 2>&1 </dev/null 9>&- &
  pid=$!
  disown "$pid"
  echo "$pid $(started_at "$pid") $(boot_id)" >"$run/$name.pid"
}
start() {
  running "$1" && return
  defined "$1" || give_up "no service \"$1\""
  # What a killed leader left behind holds its ports.
  end_members "$1" KILL
  local command holder
  eval "command=(${service_command[$1]})"
  if holder=$(leader_of hold); then command=(nsenter -t "$holder" -n -m -- "${command[@]}"); fi
  spawn "$1" "${command[@]}"
}
is_ready() {
  local what=${service_ready[$1]}
  case $what in
    -) running "$1" ;;
    http:*) inside curl -s -o /dev/null -m 5 "$what" ;;
    tcp:*) inside bash -c "exec 3<>/dev/tcp/127.0.0.1/${what#tcp:}" ;;
    *) eval "$what" ;;
  esac
}
# until_true SECONDS WHAT COMMAND…
until_true() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      say "not there in time: $what" >&2
      return 1
    fi
    sleep 0.2
  done
}
until_ready() {
  local name
  for name in "$@"; do
    until_true 120 "$name" is_ready "$name" || give_up "$name does not answer; its words: $logs/$name.log"
  done
}

signal_members() {
  local pids
  mapfile -t pids < <(members_of "$1")
  [ ${#pids[@]} -eq 0 ] || kill -s "$2" "${pids[@]}" 2>/dev/null
}
# Every process of a service, until there is none: asked once, then killed.
end_members() {
  local name=$1 signal=$2 tries=0
  until [ -z "$(members_of "$name")" ]; do
    if [ $((tries++)) -gt 0 ]; then signal=KILL; fi
    signal_members "$name" "$signal"
    sleep 0.1
    [ "$tries" -lt 100 ] || give_up "$name does not end"
  done
}
# stop NAME [SECONDS]: asks the leader, waits, and ends what is left.
stop() {
  local leader tries
  if leader=$(leader_of "$1"); then
    signal_members "$1" CONT
    kill -s TERM "$leader" 2>/dev/null
    for ((tries = ${2:-5} * 10; tries > 0; --tries)); do
      [ -n "$(members_of "$1")" ] || break
      sleep 0.1
    done
  fi
  end_members "$1" KILL
  rm -f "$run/$1.pid"
}

# Resident and proportional memory of each service, in MiB.
memory() {
  local name pid
  for name in "${service_names[@]}"; do
    running "$name" || continue
    for pid in $(members_of "$name"); do cat "/proc/$pid/smaps_rollup" 2>/dev/null; done |
      awk -v name="$name" '/^Rss:/ {r += $2} /^Pss:/ {p += $2} END {printf "%-24s %6d %6d\n", name, r / 1024, p / 1024}'
  done | awk '{print; r += $2; p += $3} END {printf "%-24s %6d %6d  MiB resident, proportional\n", "all", r, p}'
}
