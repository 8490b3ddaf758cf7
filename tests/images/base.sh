#!/usr/bin/env bash
# base.sh SUITE ROOT MIRROR: a minimal Debian in folder ROOT, without manuals and translations.
set -euo pipefail
suite=$1 root=$2 mirror=$3

debootstrap --variant=minbase "$suite" "$root" "$mirror"

cat >"$root/etc/dpkg/dpkg.cfg.d/90-slim" <<'C'
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
force-unsafe-io
C
cat >"$root/etc/apt/apt.conf.d/90-slim" <<'C'
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Install-Recommends "false";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
C
chroot "$root" apt-get update -qq
rm -rf "$root"/usr/share/{doc,man,locale,info,lintian}/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/log/*.log
