#!/bin/bash
# life-of-containers.sh: what an engine can do with containers, and what it says to that, in words that are the same each time.
#
#   life-of-containers.sh PART ENGINE [GLOBAL-OPTION...]
#
# RUN_OPTIONS is for its run and create. One part: life, kinds or images.
set -uo pipefail

part=$1
shift
engine=("$@")
read -ra options <<<"${RUN_OPTIONS-}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
began=$(date +%s)

e() { "${engine[@]}" "$@"; }

step() {
  echo "== $1"
  shift
  "$@" 2>&1 | sed -E 's/\b([0-9a-f]{12}|[0-9a-f]{64})\b/ID/g; s/time="[^"]*"//; s/podman[0-9]+|buildah-?[0-9]+/TEMPORARY/g
    s#/(usr/local/lib/sdbridge|usr/s?bin)/(runc|crun)#\2#g'
  echo "-> ${PIPESTATUS[0]}"
}

# podman calls it stopped first, and exited a moment later.
state() { e inspect --type container --format '{{.State.Status}} {{.State.ExitCode}}' "$1" | sed s/stopped/exited/; }

# Until a command says this, or for half a minute.
until_said() {
  local text=$1 turn
  shift
  for ((turn = 0; turn < 150; turn++)); do
    case $("$@" 2>&1) in *$text*) return ;; esac
    sleep 0.2
  done
  echo "never said: $text"
}

life() {
  step 'run --detach' e run --detach --name life "${options[@]}" payload sh -c \
    'trap "echo term; exit 3" TERM; echo up; while :; do echo tick; sleep 0.2; done'
  until_said up e logs life
  step exec e exec life echo inside
  step 'exec, as somebody, somewhere' e exec --env A=1 --workdir /tmp --user 5:6 life sh -c \
    'echo "$A" "$PWD"; busybox id -u; busybox id -g'
  step 'exec, with input' e exec --interactive life cat <<<'from outside'
  step 'exec with a terminal' e exec --tty life busybox tty
  step 'exec, its exit code' e exec life sh -c 'exit 7'
  step 'exec of nothing' e exec life /nonexistent
  step top e top life >/dev/null
  step pause e pause life
  step paused state life
  step unpause e unpause life
  step running state life
  echo content >"$scratch/file"
  step 'cp, in' e cp "$scratch/file" life:/tmp/file
  step 'cp, arrived' e exec life cat /tmp/file
  step 'cp, out' e cp life:/tmp/file "$scratch/back"
  step 'cp, back' cat "$scratch/back"
  step diff bash -c '"$@" | grep -c /tmp/file' bash "${engine[@]}" diff life
  step stats e stats --no-stream --format '{{.Name}}' life
  e attach --no-stdin --sig-proxy=false life >"$scratch/attached" 2>&1 &
  until_said tick cat "$scratch/attached"
  step restart e restart --time 10 life
  wait
  step attached grep --count --max-count=1 tick "$scratch/attached"
  until_said term e logs life
  step running state life
  step 'kill with another signal' e kill --signal WINCH life
  step running state life
  step kill e kill --signal TERM life
  step wait e wait life
  step exited state life
  step start e start life
  step stop e stop --time 10 life
  step exited state life
  step start e start life
  step kill e kill life
  step wait e wait life
  step exited state life
  step rename e rename life lived
  step rm e rm lived
  step gone state lived
  # Those of podman do not come in the same order each time.
  if [ "${engine[0]}" = docker ]; then step events events; fi
}

# "die" and "stop" come in either order.
events() {
  e events --since "$began" --until "$(($(date +%s) + 1))" --filter container=life --format '{{.Action}}' | sed 's/:.*//' | sort
}

kinds() {
  step 'an exit code' e run --rm "${options[@]}" payload sh -c 'exit 9'
  step 'a signal' e run --rm "${options[@]}" payload sh -c 'kill -9 $$; sleep 1'
  step 'no such program' e run --rm "${options[@]}" payload /nonexistent
  step 'no such directory' e run --rm --workdir /proc/nonexistent "${options[@]}" payload true
  step 'a terminal' e run --rm --tty "${options[@]}" payload busybox tty
  step 'input' e run --rm --interactive "${options[@]}" payload cat <<<'from outside'
  step '--init' e run --rm --init "${options[@]}" payload sh -c '[ "$$" -gt 1 ]; echo "$?"; busybox grep Name /proc/1/status'
  step 'read-only, by nobody, without privileges' e run --rm --read-only --user 5:6 --cap-drop ALL \
    --security-opt no-new-privileges "${options[@]}" payload busybox grep -E 'Cap|NoNew|Uid' /proc/self/status
  step '--ulimit' e run --rm --ulimit nofile=77:99 "${options[@]}" payload sh -c 'ulimit -n'
  step '--pid=host' e run --rm --pid host "${options[@]}" payload sh -c '[ "$$" -gt 1 ]; echo "$?"'
  step '--privileged' e run --rm --privileged "${options[@]}" payload busybox grep CapEff /proc/self/status
  step 'a health check' e run --detach --name well --health-cmd 'echo well' --health-interval 1s "${options[@]}" payload sleep 100
  if [ "${engine[0]}" = podman ]; then step 'a check' e healthcheck run well; fi
  until_said healthy e inspect --type container --format '{{.State.Health.Status}}' well
  step update e update --cpu-shares 512 well
  step 'rm --force' e rm --force well
  step create e create --name made "${options[@]}" payload echo made
  step 'start --attach' e start --attach made
  step 'start --attach' e start --attach made
  step rm e rm made
  # All that a first process finds, and its caller may have changed.
  step 'what is inside' e run --rm --hostname host --env A=1 "${options[@]}" payload sh -c "$INSIDE"
}

INSIDE='cat /proc/self/limits
busybox grep -E "^(Sig[BIC]|Cap|NoNew|Seccomp|Groups|Uid|Gid|Umask)" /proc/self/status
busybox env | busybox sort
python3 -c "import os; print(os.listdir(\"/proc/self/fd\"))"
cat /proc/self/oom_score_adj /proc/self/cgroup
busybox ls /dev'

build() {
  step build bash -c '"$@" >"$0" 2>&1 || cat "$0"' "$scratch/log" "${engine[@]}" build \
    --network none --ulimit nofile=100:100 --ulimit nproc=100:100 --tag localhost/built "$scratch"
  step 'run of what was built' e run --rm "${options[@]}" localhost/built
}

images() {
  step commit bash -c '"$@" >/dev/null' bash "${engine[@]}" commit "$("${engine[@]}" create "${options[@]}" payload true)" committed
  step 'run of it' e run --rm "${options[@]}" committed echo committed
  printf 'FROM payload\nRUN echo built >/built\nCMD ["cat", "/built"]\n' >"$scratch/Dockerfile"
  # Without BuildKit, docker builds by running containers.
  DOCKER_BUILDKIT=0 build
  if [ "${engine[0]}" = docker ]; then
    DOCKER_BUILDKIT=1 build
    # BuildKit keeps it.
    rmdir /sys/fs/cgroup/docker/buildkit
  fi
  e ps --all --quiet --filter ancestor=payload | xargs --no-run-if-empty "${engine[@]}" rm >/dev/null
  e rmi --force localhost/built committed >/dev/null
}

"$part"
