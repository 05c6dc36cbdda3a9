# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Boots a Debian kernel in qemu over this machine's root, read-only, and turns what tests/vm/guest.sh
# left in the results folder into TAP. Emulation, not KVM: it works on every machine, in about 2 s to init.

# shellcheck source=tests/lib/netns.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/netns.sh"

# What a guest needs that Debian builds as modules.
VM_MODULES="virtio_pci 9pnet_virtio 9p overlay veth sch_ingress cls_bpf 8021q bonding"
VM_TIMEOUT_S=300

# vm_run SERIES
vm_run() {
	local series=$1 folder=$BUILD/vm/$1 release start=$SECONDS qemu
	command -v qemu-system-x86_64 > /dev/null || skip_all "qemu-system-x86_64 is not installed"
	work_begin
	mkdir "$WORK/results"
	# shellcheck disable=SC2086 # one word per module
	if ! release=$("$PYTHON" "$TOP/tests/vm/kernel.py" "$series" "$folder" $VM_MODULES 2> "$WORK/kernel.err"); then
		skip_all "Debian's $series kernel cannot be fetched: $(tail -n 1 "$WORK/kernel.err")"
	fi
	note "$release unpacked after $((SECONDS - start)) s"
	start=$SECONDS
	qemu-system-x86_64 -accel tcg,thread=multi -M q35 -cpu max -m 1024M -smp 2 -display none -monitor none \
		-serial "file:$WORK/console" -no-reboot -nic none -kernel "$folder/vmlinux" -initrd "$folder/initramfs" \
		-append "console=ttyS0 panic=-1 quiet TP_TOP=$TOP TP_BUILD=$BUILD" \
		-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
		-virtfs "local,path=$WORK/results,mount_tag=results,security_model=none" < /dev/null > "$WORK/qemu.out" 2>&1 &
	qemu=$!
	CHILDREN+=("$qemu")
	wait_for "$VM_TIMEOUT_S" not_running "$qemu"
	note "the machine ran for $((SECONDS - start)) s"
	vm_report "$release"
	finish
}

# One test per suite of the guest: its sums, and the lines that failed.
vm_report() {
	local release=$1 name status log passed failed skipped
	if ! ok "$release boots, runs its suites and powers off" test -s "$WORK/results/status"; then
		note_file "$WORK/qemu.out"
		note_file "$WORK/console" 40
		note_file "$WORK/results/guest.log" 40
	fi
	is "$release says nothing of a bug, warning or oops" "$(head -n 3 "$WORK/results/kernel-complaints" 2>&1)" ""
	at_least "$release ran suites" "$(find "$WORK/results" -name '*.status' | wc -l)" 4
	for log in "$WORK"/results/*.status; do
		[ -e "$log" ] || continue
		name=$(basename "$log" .status)
		read -r status < "$log"
		log=$WORK/results/$name.tap
		passed=$(grep -c '^ok' "$log")
		failed=$(grep -c '^not ok' "$log")
		skipped=$(grep -c '^ok.* # SKIP' "$log")
		if [ "$status" = 0 ] && [ "$failed" = 0 ] && [ "$passed" -gt 0 ] && grep -q '^1\.\.' "$log"; then
			pass "$release: $name: $((passed - skipped)) ok, $skipped skipped there"
			grep '^ok.* # SKIP' "$log" | sed 's/^/# /'
		else
			fail "$release: $name: $passed ok, $failed failed, exit status $status"
			grep -A 12 '^not ok' "$log" | head -n 60 | sed 's/^/# /'
			note_file "$log" 20
		fi
		grep '^# measured' "$log"
	done
}
