package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ownsPort tells whether a process has the TCP socket of a local port of the
// loopback open: what "ss -p" tells. A process that has ended has none.
func ownsPort(pid, port int) bool {
	inode := inodeOf(pid, port)
	if inode == "" {
		return false
	}
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid)) // only a bad pattern is an error
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}

// inodeOf finds a connected or listening socket in the table of a process's network:
//
//	sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode
//	 0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   0       0 12345 ...
func inodeOf(pid, port int) string {
	table, err := os.Open(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if err != nil {
		return ""
	}
	defer table.Close()
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		const local, inode = 1, 9
		fields := strings.Fields(lines.Text())
		if len(fields) <= inode {
			continue
		}
		_, hex, _ := strings.Cut(fields[local], ":")
		if p, err := strconv.ParseUint(hex, 16, 16); err == nil && int(p) == port && fields[inode] != "0" {
			return fields[inode]
		}
	}
	return ""
}
