package config

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
)

// What the settings may be at most and at least, where the type doesn't say.
const (
	minFrameSize   = 512 // [amqp-transport 2.4.1]: every peer must take so much
	maxFrameSize   = 64 * MiB
	minIdleTimeout = 100 * time.Millisecond
	maxIdleTimeout = math.MaxUint32 * time.Millisecond // idle-time-out is a uint of milliseconds
	maxMessageSize = 1 * GiB
	minWindow      = 1 * MiB
	maxWindow      = 1 * GiB
	maxMemTable    = 2 * GiB
	maxNameLength  = 255
	maxBcryptCost  = 16 // three seconds a login; more is a mistake
)

// validate checks what the types alone do not. It reports all that it finds.
func (d *decoder) validate() {
	c := d.cfg
	if c.Data == "" {
		d.fail("data", "wants a directory")
	}
	oneOf(d, "durability", c.Durability, Fsync, OS)
	oneOf(d, "log_format", c.LogFormat, LogText, LogJSON)
	oneOf(d, "log_level", c.LogLevel, LevelDebug, LevelInfo, LevelWarn, LevelError)
	d.listeners()
	d.http()
	d.limits()
	d.cluster()
	d.users()
	d.policies()
}

// oneOf wants one of a few words.
func oneOf[T ~string](d *decoder, path string, got T, words ...T) {
	if !slices.Contains(words, got) {
		d.fail(path, "%q is not %s", got, alternatives(words))
	}
}

// between wants least <= got <= most.
func between[T int64 | Size | time.Duration](d *decoder, path string, got, least, most T) {
	if got < least || got > most {
		d.fail(path, "%v is not between %v and %v", got, least, most)
	}
}

// wantsUsers: nobody could log in at an address.
const wantsUsers = "%s is not loopback, so it wants users to log in, and there are none; " +
	"add one to the file (entrepot user hash) or listen on 127.0.0.1"

func (d *decoder) listeners() {
	if len(d.cfg.AMQP) == 0 {
		d.fail("amqp", "wants at least one address")
	}
	taken := map[string]bool{}
	for i, l := range d.cfg.AMQP {
		path := fmt.Sprintf("amqp[%d]", i)
		d.address(join(path, "address"), l.Address)
		if taken[l.Address] && !strings.HasSuffix(l.Address, ":0") {
			d.fail(join(path, "address"), "%s is listed twice", l.Address)
		}
		taken[l.Address] = true
		if !l.Loopback() && len(d.cfg.Users) == 0 {
			d.fail(join(path, "address"), wantsUsers, l.Address)
		}
		between(d, join(path, "max_frame_size"), l.MaxFrameSize, minFrameSize, maxFrameSize)
		between(d, join(path, "max_message_size"), l.MaxMessageSize, 1, maxMessageSize)
		if l.IdleTimeout != 0 {
			between(d, join(path, "idle_timeout"), l.IdleTimeout, minIdleTimeout, maxIdleTimeout)
		}
	}
}

func (d *decoder) http() {
	d.address("http", d.cfg.HTTP)
	if !IsLoopback(d.cfg.HTTP) && len(d.cfg.Users) == 0 {
		d.fail("http", wantsUsers, d.cfg.HTTP)
	}
}

// address wants HOST:PORT.
func (d *decoder) address(path, address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		d.fail(path, "%q is no HOST:PORT", address)
	}
}

func (d *decoder) limits() {
	if l := d.cfg.Limits; l.DiskHigh < l.DiskLow {
		d.fail("limits.disk_high", "%v is below disk_low, %v", l.DiskHigh, l.DiskLow)
	}
	s := d.cfg.Storage
	between(d, "storage.window", s.Window, minWindow, maxWindow)
	between(d, "storage.memtable", s.MemTable, s.Window, maxMemTable)
	between(d, "storage.max_age", s.MaxAge, 100*time.Millisecond, time.Hour)
}

func (d *decoder) users() {
	names := map[string]bool{}
	for i, u := range d.cfg.Users {
		path := fmt.Sprintf("users[%d]", i)
		switch {
		case u.Name == "" || len(u.Name) > maxNameLength || !utf8.ValidString(u.Name):
			d.fail(join(path, "name"), "wants 1 to %d bytes of UTF-8", maxNameLength)
		case strings.ContainsAny(u.Name, ":\x00"):
			d.fail(join(path, "name"), "%q has a colon or a NUL in it, and HTTP or SASL would cut it there", u.Name)
		case names[u.Name]:
			d.fail(join(path, "name"), "%q stands there twice", u.Name)
		}
		names[u.Name] = true
		cost, err := bcrypt.Cost([]byte(u.PasswordHash))
		if err != nil {
			d.fail(join(path, "password_hash"), "is no bcrypt hash; entrepot user hash makes one")
		} else if cost > maxBcryptCost {
			d.fail(join(path, "password_hash"), "has cost %d, and each login would take seconds; at most %d", cost, maxBcryptCost)
		}
	}
}

func (d *decoder) policies() {
	patterns := map[string]bool{}
	for i, p := range d.cfg.Policies {
		path := fmt.Sprintf("policies[%d]", i)
		before := len(d.errs)
		oneOf(d, join(path, "kind"), p.Kind, "queue")
		oneOf(d, join(path, "create"), p.Create, CreateOnUse, CreateDeclared, CreateNever)
		if patterns[p.Pattern] {
			d.fail(join(path, "pattern"), "%q stands there twice", p.Pattern)
		}
		patterns[p.Pattern] = true
		// The rest is the queues' own to judge.
		if _, err := p.Queue(); err != nil && len(d.errs) == before {
			d.fail(path, "%v", err)
		}
	}
}

// Warnings are sentences about what is allowed and still most likely not meant.
func (c Config) Warnings() []string {
	var warnings []string
	if k := &c.Cluster; k.Clustered() && k.Insecure && !k.TLS.Enabled() {
		warnings = append(warnings, "cluster.insecure: whoever can connect to "+k.Listen+" can read and change everything")
	}
	if n := len(c.Cluster.Peers); c.Cluster.Founder() && n > 1 && n%2 == 0 {
		warnings = append(warnings, fmt.Sprintf("a cluster of %d nodes survives the loss of as many as one of %d", n, n-1))
	}
	return warnings
}

// alternatives writes words as people do: "a", "b" or "c".
func alternatives[T ~string](words []T) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(string(w))
	}
	last := len(quoted) - 1
	if last == 0 {
		return quoted[0]
	}
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}
