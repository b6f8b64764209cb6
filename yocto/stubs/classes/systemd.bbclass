# Stands for oe-core's systemd.bbclass: a package that installs a service must name it.
SYSTEMD_PACKAGES ?= "${PN}"
