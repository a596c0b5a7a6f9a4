package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// profiler records where the broker's CPU time goes, by perf(1). A nil one does
// nothing.
type profiler struct{ dir string }

// padding is what perf fills its last column with.
var padding = regexp.MustCompile(`(?m)[ .]+$`)

// start records r's broker until the returned func is called, which leaves the
// functions with the most samples in dir/CASE-PEER.perf.txt. A profile is a hint:
// what goes wrong with it is told in that file and ends nothing.
func (p *profiler) start(r *run) (stop func()) {
	if p == nil {
		return func() {}
	}
	name := filepath.Join(p.dir, r.c.Name+"-"+r.broker.Name())
	data := name + ".perf.data"
	var pids []string
	for _, pid := range r.broker.PIDs() {
		pids = append(pids, strconv.Itoa(pid))
	}
	record := exec.Command("perf", "record", "-q", "-g", "-F", "499", "-o", data, "-p", strings.Join(pids, ","))
	var log bytes.Buffer
	record.Stdout, record.Stderr = &log, &log
	err := record.Start()
	return func() {
		if err == nil {
			_ = record.Process.Signal(syscall.SIGINT) // perf then writes its file
			_ = record.Wait()                         // and ends by that signal
		}
		top, reportErr := exec.Command("perf", "report", "-i", data, "--stdio", "--no-children", "-g", "none",
			"--percent-limit", "0.5", "-F", "overhead,dso,symbol").CombinedOutput()
		text := fmt.Sprintf("record: %v %s\nreport: %v\n%s", err, &log, reportErr, padding.ReplaceAll(top, nil))
		_ = os.WriteFile(name+".perf.txt", []byte(text), 0o644)
	}
}
