package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// suiteLimit ends a suite that hangs.
const suiteLimit = 5 * time.Minute

// suite is a program that tests a broker. It is told where in the variable
// INTEROP, and ends its output with "NAME: N passed, N failed".
type suite struct {
	name    string
	command []string // program and first arguments
	env     string   // the value of INTEROP
}

// score counts tests.
type score struct{ passed, failed int }

func (s score) String() string { return fmt.Sprintf("%d passed, %d failed", s.passed, s.failed) }

func (s *score) add(o score) { *s = s.plus(o) }

func (s score) plus(o score) score { return score{s.passed + o.passed, s.failed + o.failed} }

var verdict = regexp.MustCompile(`^\w+: (\d+) passed, (\d+) failed$`)

// run runs the suite in one of its modes and shows its output, but for the
// verdict, which it returns. A suite that does not come to one has failed.
func (s *suite) run(ctx context.Context, mode ...string) score {
	ctx, cancel := context.WithTimeout(ctx, suiteLimit)
	defer cancel()
	args := append(s.command[1:len(s.command):len(s.command)], mode...)
	cmd := exec.CommandContext(ctx, s.command[0], args...)
	cmd.Env = append(os.Environ(), "INTEROP="+s.env)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 5 * time.Second // for grandchildren that keep the pipe open
	var tail bytes.Buffer
	cmd.Stdout = io.MultiWriter(&verdictless{to: os.Stdout}, &tail)
	err := cmd.Run()
	result, ok := verdictOf(tail.Bytes())
	switch {
	case !ok:
		fmt.Printf("FAIL %s %v: it ended without a verdict (%v)\n", s.name, mode, err)
		result.failed++
	case err != nil && result.failed == 0:
		fmt.Printf("FAIL %s %v: %v\n", s.name, mode, err)
		result.failed++
	}
	return result
}

// verdictOf finds the last verdict in a suite's output.
func verdictOf(output []byte) (score, bool) {
	var s score
	found := false
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := verdict.FindSubmatch(lines.Bytes()); m != nil {
			found = true
			s.passed, _ = strconv.Atoi(string(m[1])) // digits, by the pattern
			s.failed, _ = strconv.Atoi(string(m[2]))
		}
	}
	return s, found
}

// verdictless passes lines on, but for verdicts: they are summed up at the end.
type verdictless struct {
	to   io.Writer
	line []byte
}

func (v *verdictless) Write(p []byte) (int, error) {
	v.line = append(v.line, p...)
	for {
		end := bytes.IndexByte(v.line, '\n')
		if end < 0 {
			return len(p), nil
		}
		if !verdict.Match(v.line[:end]) {
			if _, err := v.to.Write(v.line[:end+1]); err != nil {
				return 0, err
			}
		}
		v.line = v.line[end+1:]
	}
}

// config is what INTEROP says. The go-amqp suite's main.go has its meaning.
type config struct {
	Addr     string `json:"addr"`
	AuthAddr string `json:"auth_addr,omitempty"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	Prefix   string `json:"prefix,omitempty"`
	Never    string `json:"never,omitempty"`
	Exchange string `json:"exchange,omitempty"`
	Only     string `json:"only,omitempty"`
	// Binary is for the hostile suite, which starts a broker of its own.
	Binary string `json:"binary,omitempty"`
}

// python is Debian's: python3-qpid-proton is installed for no other.
const python = "/usr/bin/python3"

// prepare builds and names the suites that were chosen.
func prepare(ctx context.Context, names []string, b *brokers, dir string) (map[string]*suite, error) {
	c := b.config
	c.Exchange = dir
	env, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	commands := map[string][]string{
		"goamqp":  {filepath.Join(dir, "goamqp")},
		"hostile": {filepath.Join(dir, "hostile")},
		"proton":  {python, "broker/interop/proton/suite.py"},
		"rhea":    {"node", "broker/interop/rhea/suite.js"},
	}
	suites := map[string]*suite{}
	for _, name := range names {
		command, ok := commands[name]
		if !ok {
			return nil, fmt.Errorf("there is no suite %q", name)
		}
		if filepath.Dir(command[0]) == dir {
			if err := buildSuite(ctx, name, command[0]); err != nil {
				return nil, err
			}
		}
		suites[name] = &suite{name: name, command: command, env: string(env)}
	}
	return suites, nil
}

func buildSuite(ctx context.Context, name, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", to, "./broker/interop/"+name)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build suite %s: %w\n%s", name, err, out)
	}
	return nil
}
