#!/bin/bash
# collect.sh: makes the files of an image out of those of the machine.
#
#   collect.sh FOLDER [FILE...]
#
# What is in it: busybox, python3 with its library, and the files, each with the shared libraries that it needs.
set -euo pipefail

main() {
  local folder=$1 name
  shift
  mkdir -p "$folder"/{usr/{bin,sbin,lib,lib64},dev,proc,sys,run,tmp,etc,control}
  chmod 1777 "$folder/tmp"
  cd "$folder"
  # On Debian 12 too: it is merged.
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$name"; done
  echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
  echo 'root:x:0:' >etc/group
  copy /usr/bin/python3 "$@"
  # A name of its own: /usr/bin/busybox is without applets on some systems.
  cp -L "$(type -P busybox)" usr/bin/busybox
  copy "$(type -P busybox)"
  for name in sh sleep cat echo true; do ln -s busybox "usr/bin/$name"; done
  copy_python
}

copy() {
  local file library
  for file; do
    # Of a static program ldd only says that it is one.
    for library in "$file" $(ldd "$file" 2>/dev/null | grep --only-matching '/[^ )]*' || true); do
      mkdir -p ".$(dirname "$library")"
      [ -e ".$library" ] || cp -L "$library" ".$library"
    done
  done
}

# Without what no payload of ours needs, which is most of it.
copy_python() {
  local library
  library=$(/usr/bin/python3 -I -c 'import os; print(os.path.dirname(os.__file__))')
  mkdir -p ".$library"
  tar -C "$library" --exclude=__pycache__ --exclude=test --exclude=idlelib --exclude=lib2to3 --exclude=tkinter \
    --exclude=ensurepip --exclude=distutils --exclude='config-*' --exclude=pydoc_data -c . | tar -C ".$library" -x
}

main "$@"
