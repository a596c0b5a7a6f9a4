// Package config is what an operator may say to a broker: one struct, its
// defaults, and the ways to fill it in. A value comes from the first of these
// places that names it:
//
//	a flag of "entrepot serve"  >  an ENTREPOT_* variable  >  the YAML file  >  Default
//
// The struct itself is the list of settings. Its yaml tags are the keys of the
// file; the variable of a key is its path in capitals, joined by underscores
// (limits.max_bytes is ENTREPOT_LIMITS_MAX_BYTES). What is not in the struct is
// an error that names the unknown key and its line.
package config

import (
	"net"
	"time"
)

// Config is everything that can be set on one node.
type Config struct {
	// Data is the directory of the node's store. One broker at a time may have
	// it open.
	Data string `yaml:"data"`
	// AMQP are the addresses that AMQP clients connect to. At least one.
	AMQP []Listener `yaml:"amqp"`
	// HTTP is the address (HOST:PORT) of the admin interface: health, metrics,
	// queues.
	HTTP string `yaml:"http"`
	// Durability says when a message counts as stored.
	Durability Durability `yaml:"durability"`
	// LogFormat is how log lines are written on standard error.
	LogFormat LogFormat `yaml:"log_format"`
	// LogLevel is the least important kind of line that is still written.
	LogLevel LogLevel `yaml:"log_level"`
	// Limits hold for the node as a whole.
	Limits Limits `yaml:"limits"`
	// Storage sizes the store's memory.
	Storage Storage `yaml:"storage"`
	// Cluster makes the node one of several that are one broker.
	Cluster Cluster `yaml:"cluster"`
	// Users may log in, over AMQP (SASL PLAIN) and over HTTP (Basic). Without
	// users only loopback listeners accept clients, and those are anonymous.
	Users []User `yaml:"users"`
	// Policies say what an address is and what its queue may hold. The most
	// specific pattern that matches an address wins, as a whole: policies do
	// not add up.
	Policies []Policy `yaml:"policies"`
}

// Listener is one address that AMQP clients connect to, and what the broker
// announces and enforces there. In the file it is a mapping, or just the
// address as a string.
type Listener struct {
	// Address is HOST:PORT. Port 0 takes a free one.
	Address string `yaml:"address"`
	// MaxFrameSize is the largest frame that a client may send
	// [amqp-transport 2.7.1]. At least 512 bytes.
	MaxFrameSize Size `yaml:"max_frame_size"`
	// IdleTimeout: a client that sends nothing for so long is disconnected
	// [amqp-transport 2.4.5]. 0: never.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// MaxMessageSize is the largest message that a client may send, announced
	// on every link [amqp-transport 2.7.3].
	MaxMessageSize Size `yaml:"max_message_size"`
	// ChannelMax is the highest channel number, so a connection has at most
	// ChannelMax+1 sessions [amqp-transport 2.7.1].
	ChannelMax uint16 `yaml:"channel_max"`
	// HandleMax is the highest handle number, so a session has at most
	// HandleMax+1 links [amqp-transport 2.7.2].
	HandleMax uint32 `yaml:"handle_max"`
}

// Limits hold for the node as a whole. A node at a limit accepts no more
// messages and says so; it goes on delivering, and admin requests go on
// working.
type Limits struct {
	// MaxMessages is the most messages that all queues together may hold.
	// 0: no limit.
	MaxMessages uint64 `yaml:"max_messages"`
	// MaxBytes is the most bytes of messages that all queues together may
	// hold. 0: no limit.
	MaxBytes Size `yaml:"max_bytes"`
	// MaxConnections is the most AMQP connections at a time; one more is
	// closed at once. 0: no limit.
	MaxConnections uint64 `yaml:"max_connections"`
	// DiskLow is the free space under the data directory below which messages
	// are no longer accepted. 0: not watched.
	DiskLow Size `yaml:"disk_low"`
	// DiskHigh is the free space from which they are accepted again.
	// Invariant: DiskHigh >= DiskLow.
	DiskHigh Size `yaml:"disk_high"`
}

// Storage sizes the store's memory. The defaults keep a node with a backlog of
// 2 million messages of 1 KiB below 600 MiB; an idle node takes none of it.
type Storage struct {
	// Window is how many bytes of messages a shard keeps in memory before they
	// are written to their queue's keys.
	Window Size `yaml:"window"`
	// MaxAge is how long a message may wait in the window before that.
	MaxAge time.Duration `yaml:"max_age"`
	// MemTable is the size of the store's write buffer. Four times Window or
	// more, so that the log of settled messages is never written out.
	MemTable Size `yaml:"memtable"`
	// Cache is the size of the store's block cache.
	Cache Size `yaml:"cache"`
}

// User is somebody who may log in.
type User struct {
	Name string `yaml:"name"`
	// PasswordHash is what "entrepot user hash" prints: bcrypt, $2a$.
	PasswordHash string `yaml:"password_hash"`
}

// Policy is a pattern of addresses and what holds for them: an entry of the
// list in the file.
type Policy struct {
	// Pattern is a list of levels separated by "/". "*" stands for one level;
	// "#", only at the end, for all that follow.
	Pattern string `yaml:"pattern"`
	// Kind is what such an address is. "queue" is the only kind yet.
	Kind string `yaml:"kind"`
	// Create says how such a queue comes to be.
	Create Create `yaml:"create"`
	// TTLDefault is the time to live of a message that names none. 0: for ever.
	TTLDefault time.Duration `yaml:"ttl_default"`
	// TTLMin raises a shorter time to live. 0: no lower bound.
	TTLMin time.Duration `yaml:"ttl_min"`
	// TTLMax cuts a longer one, and gives one to messages without. 0: no upper
	// bound.
	TTLMax time.Duration `yaml:"ttl_max"`
	// MaxMessages is the most messages a queue may hold. 0: no limit.
	MaxMessages uint64 `yaml:"max_messages"`
	// MaxBytes is the most bytes a queue may hold. 0: no limit.
	MaxBytes Size `yaml:"max_bytes"`
	// MaxDeliveries is how often a message is tried; failed that often, it is
	// dropped as rejected. 0: no limit.
	MaxDeliveries uint32 `yaml:"max_deliveries"`
	// MaxUnsettled is the most unsettled messages that one consumer may have,
	// whatever credit it gives. 0: the broker's default.
	MaxUnsettled uint32 `yaml:"max_unsettled"`
	// Metrics asks for time series of each single queue. Only for few queues.
	Metrics bool `yaml:"metrics"`
}

// Durability says when a message counts as stored.
type Durability string

const (
	// Fsync: the message has reached the disk. It survives a power cut.
	Fsync Durability = "fsync"
	// OS: the message has reached the kernel, and the disk within a second. It
	// survives a kill -9; a power cut may lose the last second.
	OS Durability = "os"
)

// LogFormat is how log lines are written.
type LogFormat string

// The log formats.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// LogLevel is the importance of a log line.
type LogLevel string

// The log levels, from the least important.
const (
	LevelDebug LogLevel = "debug"
	LevelInfo  LogLevel = "info"
	LevelWarn  LogLevel = "warn"
	LevelError LogLevel = "error"
)

// Create says how a queue comes to be.
type Create string

// The ways of creation.
const (
	CreateOnUse    Create = "on-use"   // by the first link that names it, or declared
	CreateDeclared Create = "declared" // only through the admin interface
	CreateNever    Create = "never"    // not at all: such a link is refused
)

// Default is a broker for one machine: loopback only, nobody needs to log in,
// any address is a queue that comes to be on its first use.
func Default() Config {
	return Config{
		Data:       "./data",
		AMQP:       []Listener{DefaultListener("127.0.0.1:5672")},
		HTTP:       "127.0.0.1:8161",
		Durability: Fsync,
		LogFormat:  LogText,
		LogLevel:   LevelInfo,
		Limits: Limits{
			MaxConnections: 50_000,
			DiskLow:        256 * MiB,
			DiskHigh:       512 * MiB,
		},
		Storage: Storage{
			Window:   16 * MiB,
			MaxAge:   5 * time.Second,
			MemTable: 64 * MiB,
			Cache:    32 * MiB,
		},
		Cluster: Cluster{
			Node:      Standalone,
			Heartbeat: time.Second,
			Election:  time.Second,
			Lease:     500 * time.Millisecond,
		},
	}
}

// DefaultListener is a listener at an address with nothing else said.
func DefaultListener(address string) Listener {
	return Listener{
		Address:        address,
		MaxFrameSize:   256 * KiB,
		IdleTimeout:    60 * time.Second,
		MaxMessageSize: 64 * MiB,
		ChannelMax:     1023,
		HandleMax:      4095,
	}
}

// DefaultPolicy is what holds for an address that no pattern matches, and what
// a policy that says nothing but its pattern says.
func DefaultPolicy(pattern string) Policy {
	return Policy{Pattern: pattern, Kind: "queue", Create: CreateOnUse}
}

// Loopback reports whether only this machine can reach the listener.
func (l Listener) Loopback() bool { return IsLoopback(l.Address) }

// IsLoopback reports whether only this machine can reach address (HOST:PORT):
// its host is an address of the loopback network or the name localhost. An
// empty host means every interface, so it is none.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
