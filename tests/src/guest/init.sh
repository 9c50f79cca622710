#!/bin/busybox sh
# The guest's first and only process: bring up the machine, then do what the test says.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
# In the order of their dependencies.
for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci \
	failover net_failover virtio_net virtio_blk
do
	insmod /lib/modules/$module.ko
done
ip link set lo up
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
mkdir -p /var/lib/timeball /run/timeball
mount -t ext4 /dev/vda /var/lib/timeball

# The first serial line is the kernel's; the second is the test's. A line is a command; after
# what it prints comes a line with its exit status.
exec </dev/ttyS1 >/dev/ttyS1 2>&1
stty raw -echo
echo "guest: ready"
while read -r line
do
	eval "$line"
	status=$?
	echo
	echo "guest: status $status"
done
