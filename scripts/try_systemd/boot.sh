#!/bin/sh
# Becomes systemd in new namespaces: boot.sh DIRECTORY ROOT_OF_THE_SOURCES. Whatever systemd writes or deletes is in a tmpfs:
# its root is an overlay, so it cannot touch the machine. Every step is checked before systemd starts.
set -eu
base=$1 source=$2
mount --make-rprivate /
mount -t tmpfs none "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/root"
root=$base/root
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --make-rprivate "$root/dev"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 none "$root/sys/fs/cgroup"
mount -t tmpfs none "$root/run"
mount -t tmpfs none "$root/tmp"
mkdir -p "$root/opt/gglib-try/source" "$root/oldroot"
mount --bind "$source" "$root/opt/gglib-try/source"
mount -o remount,bind,ro "$root/opt/gglib-try/source"
cd "$root"
pivot_root . oldroot
cd /
umount -l /oldroot
[ "$(stat -f -c %T /)" = overlayfs ]
[ "$(stat -f -c %T /tmp)" = tmpfs ]
[ ! -e /oldroot/usr ]
ip link set lo up
rm -rf /etc/systemd/system
mkdir -p /etc/systemd/system
for unit in systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.timer \
    systemd-tmpfiles-clean.service systemd-udevd.service systemd-udev-trigger.service systemd-remount-fs.service \
    systemd-sysctl.service systemd-modules-load.service systemd-random-seed.service systemd-pstore.service getty.target \
    systemd-machine-id-commit.service systemd-udevd-kernel.socket systemd-udevd-control.socket; do
    ln -s /dev/null "/etc/systemd/system/$unit"
done
cat >/etc/systemd/system/trial.target <<'UNIT'
[Unit]
Description=Trial of gglib's units
Requires=basic.target dbus.service
After=basic.target
UNIT
export container=gglib-trial
exec /usr/lib/systemd/systemd --system --unit=trial.target --show-status=0
