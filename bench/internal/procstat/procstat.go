// Package procstat reads from the kernel what a broker's processes have used: CPU
// time, memory and space, and what went to the disk.
package procstat

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage is what a set of processes has used since each of them started; RSS is
// what it holds now.
type Usage struct {
	CPU          time.Duration // utime + stime, in steps of 10 ms
	RSSBytes     uint64
	PeakRSSBytes uint64 // the sum of every process's own peak
}

// Since is the difference of what only grows; memory is u's own.
func (u Usage) Since(before Usage) Usage {
	u.CPU -= before.CPU
	return u
}

// clockTick is USER_HZ, which Linux has fixed at 100 for every architecture that
// Go runs on.
const clockTick = 10 * time.Millisecond

// Of adds up the usage of pids. A process that has ended in the meantime is an
// error: its share is lost and the sum would lie.
func Of(pids []int) (Usage, error) {
	var sum Usage
	for _, pid := range pids {
		u, err := one(pid)
		if err != nil {
			return Usage{}, fmt.Errorf("process %d: %w", pid, err)
		}
		sum.CPU += u.CPU
		sum.RSSBytes += u.RSSBytes
		sum.PeakRSSBytes += u.PeakRSSBytes
	}
	return sum, nil
}

// Tree is pid and all its living descendants.
func Tree(pid int) []int {
	pids := []int{pid}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children(pids[i])...)
	}
	return pids
}

func children(pid int) []int {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // only a bad pattern is an error
	var pids []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

func one(pid int) (Usage, error) {
	var u Usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	if u.CPU, err = cpuTime(stat); err != nil {
		return u, err
	}
	status, err := labelled(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	u.RSSBytes, u.PeakRSSBytes = status["VmRSS"]<<10, status["VmHWM"]<<10
	return u, nil
}

// cpuTime takes utime and stime, fields 14 and 15, from a stat line. The second
// field is the command's name in parentheses, which may hold anything.
func cpuTime(stat []byte) (time.Duration, error) {
	_, rest, found := bytes.Cut(stat[max(bytes.LastIndexByte(stat, ')'), 0):], []byte(") "))
	fields := bytes.Fields(rest)
	if !found || len(fields) < 13 {
		return 0, fmt.Errorf("unexpected stat line %q", stat)
	}
	var ticks uint64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseUint(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// MachineCPU is the CPU time that everybody on the machine has used since it
// started, interrupts and what the hypervisor took away included.
func MachineCPU() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal ...
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat: unexpected %q", line)
	}
	var ticks uint64
	for i, field := range fields[1:9] {
		const idle, ioWait = 3, 4
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		if i != idle && i != ioWait {
			ticks += n
		}
	}
	return time.Duration(ticks) * clockTick, nil
}

// labelled reads a file of "Label: number ..." lines; a line without a number is
// left out.
func labelled(path string) (map[string]uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	values := make(map[string]uint64)
	for line := range strings.Lines(string(text)) {
		label, rest, _ := strings.Cut(line, ":")
		number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if n, err := strconv.ParseUint(number, 10, 64); err == nil {
			values[label] = n
		}
	}
	return values, nil
}
