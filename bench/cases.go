package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/peer"
	"entrepot/bench/internal/report"
)

// Case is one thing to measure. What a field means depends on the scenario; those
// that it does not use are zero.
type Case struct {
	Name  string
	Title string
	Set   set
	Do    scenario

	Client    peer.ClientKind
	Senders   int
	Receivers int // of the same queues
	Queues    int // sender and receiver i use queue i modulo this
	InFlight  int // per sender
	Credit    int // per receiver
	Size      int // of a body, bytes
	Body      load.BodyKind
	Rate      float64 // of each sender, messages a second; 0: at full speed
	Count     int     // messages of a backlog, queues, or connections

	TTLSpread time.Duration // deadlines are spread evenly over so long
	Crash     bool          // kill -9 and start again in between
	Live      bool          // measure the live rate first
	Drain     bool          // drain at the end

	OnlyEntrepot bool
	Without      []string // peers that would take ten minutes or more
	Goals        []report.Goal

	failed *atomic.Uint64 // counts failed sends, which then do not fail the run
}

// set is a group of cases that are run together.
type set string

const (
	table set = "table" // compared with the peers
	goamq set = "go-amqp"
	scale set = "scale" // memory and scale: minutes each
)

// scenario measures one case on a broker that has just been started.
type scenario func(context.Context, *run) error

const kib = 1024

// natsAlways fsyncs every message by itself.
const natsAlways = "nats-always"

// cases are all of them, in the order of the reports. The goals are those of the
// project: see README.md.
var cases = slices.Concat(standaloneCases, clusterCases)

// standaloneCases are for one node.
var standaloneCases = []Case{
	{
		Name: "latency1", Title: "One sender, 1 in flight, 1 KiB", Set: table, Do: traffic,
		Senders: 1, Queues: 1, InFlight: 1, Size: kib,
		Goals: []report.Goal{{Metric: report.AcceptP50, Bound: 0.28}},
	},
	{
		Name: "send256", Title: "One sender, 256 in flight, 1 KiB", Set: table, Do: traffic,
		Senders: 1, Queues: 1, InFlight: 256, Size: kib,
		Goals: []report.Goal{{Metric: report.Rate, Bound: 100_000}, {Metric: report.CPUPerMsg, Bound: 9}},
	},
	{
		Name: "send256-256b", Title: "One sender, 256 in flight, 256 B", Set: table, Do: traffic,
		Senders: 1, Queues: 1, InFlight: 256, Size: 256,
		Goals: []report.Goal{{Metric: report.Rate, Bound: 150_000}, {Metric: report.CPUPerMsg, Bound: 7}},
	},
	{
		Name: "send256-16k", Title: "One sender, 256 in flight, 16 KiB", Set: table, Do: traffic,
		Senders: 1, Queues: 1, InFlight: 256, Size: 16 * kib,
		Goals: []report.Goal{{Metric: report.Rate, Bound: 15_000}},
	},
	{
		Name: "send8x256", Title: "8 senders, 8 queues, 256 in flight each, 1 KiB", Set: table, Do: traffic,
		Senders: 8, Queues: 8, InFlight: 256, Size: kib,
		Goals: []report.Goal{{Metric: report.Rate, Bound: 130_000}},
	},
	{
		Name: "flow", Title: "One sender, one receiver at full speed, 1 KiB", Set: table, Do: traffic,
		Senders: 1, Receivers: 1, Queues: 1, InFlight: 256, Credit: 1000, Size: kib,
		Goals: []report.Goal{
			{Metric: report.Rate, Bound: 60_000}, {Metric: report.CPUPerMsg, Bound: 15}, {Metric: report.EndToEndP99, Bound: 50},
		},
	},
	{
		Name: "steady2k", Title: "2,000 messages/s steady, one sender, one receiver, 1 KiB", Set: table, Do: traffic,
		Senders: 1, Receivers: 1, Queues: 1, InFlight: 256, Credit: 1000, Size: kib, Rate: 2000,
		Goals: []report.Goal{{Metric: report.EndToEndP50, Bound: 0.6}, {Metric: report.EndToEndP99, Bound: 2.5}},
	},
	{
		Name: "drain1m", Title: "Drain of 1M messages of 1 KiB by one receiver", Set: table, Do: backlog,
		InFlight: 1024, Credit: 1000, Size: kib, Count: 1_000_000, Drain: true,
		Without: []string{natsAlways},
		Goals:   []report.Goal{{Metric: report.DrainRate, Bound: 120_000}},
	},
	{
		Name: "restart1m", Title: "kill -9 and restart with a backlog of 1M messages of 1 KiB", Set: table, Do: backlog,
		InFlight: 1024, Size: kib, Count: 1_000_000, Crash: true,
		Without: []string{natsAlways},
		Goals:   []report.Goal{{Metric: report.RestartTime, Bound: 2}, {Metric: report.DiskPerMsg, Bound: 1150}},
	},
	{
		Name: "queues10k", Title: "10,000 declared, empty queues", Set: table, Do: emptyQueues,
		Count:   10_000,
		Without: []string{natsAlways},
		Goals: []report.Goal{
			{Metric: report.AddedRSS, Bound: 10}, {Metric: report.DeclareTime, Bound: 1}, {Metric: report.RestartTime, Bound: 1},
		},
	},
	{
		Name: "idle1000", Title: "1,000 idle connections with one link each, to one queue", Set: table, Do: idleConnections,
		Queues: 1, Count: 1000,
		Without: []string{natsAlways},
		Goals:   []report.Goal{{Metric: report.PerConn, Bound: 30}},
	},
	{
		Name: "idlenode", Title: "A node without clients for 30 s", Set: table, Do: idleNode,
		Without: []string{natsAlways},
		Goals:   []report.Goal{{Metric: report.RSS, Bound: 40}, {Metric: report.CPUShare, Bound: 1}},
	},

	{
		Name: "goamqp256", Title: "One go-amqp sender, 256 in flight, 1 KiB: what a Go user gets", Set: goamq, Do: traffic,
		Client: peer.GoAMQP, Senders: 1, Queues: 1, InFlight: 256, Size: kib,
	},
	{
		Name: "goamqp-flow", Title: "One go-amqp sender, one go-amqp receiver at full speed, 1 KiB", Set: goamq, Do: traffic,
		Client: peer.GoAMQP, Senders: 1, Receivers: 1, Queues: 1, InFlight: 256, Credit: 1000, Size: kib,
	},

	{
		Name: "backlog2m", Title: "A backlog of 2M messages of 1 KiB: memory, kill -9, drain against the live rate",
		Set: scale, Do: backlog, OnlyEntrepot: true,
		InFlight: 1024, Credit: 1000, Size: kib, Count: 2_000_000, Live: true, Crash: true, Drain: true,
		Goals: []report.Goal{
			{Metric: report.PeakRSS, Bound: 600}, {Metric: report.RestartTime, Bound: 3}, {Metric: report.DrainToLive, Bound: 0.5},
		},
	},
	{
		Name: "queues1m", Title: "1,000,000 declared, empty queues", Set: scale, Do: emptyQueues, OnlyEntrepot: true,
		Count: 1_000_000,
		Goals: []report.Goal{
			{Metric: report.RSS, Bound: 400}, {Metric: report.RestartTime, Bound: 3}, {Metric: report.FirstToEmpty, Bound: 1.2},
		},
	},
	{
		Name: "ttl10m", Title: "10M messages of 1 KiB with TTLs expire within two minutes, while 2,000 messages/s go on",
		Set: scale, Do: expiry, OnlyEntrepot: true,
		Senders: 4, InFlight: 512, Credit: 1000, Size: kib, Count: 10_000_000, Rate: 2000, TTLSpread: 2 * time.Minute,
		Goals: []report.Goal{{Metric: report.ExpiryLag, Bound: 1}},
	},
	{
		Name: "idle5000", Title: "5,000 idle connections with one link each, every one to a queue of its own",
		Set: scale, Do: idleConnections, OnlyEntrepot: true,
		Queues: 5000, Count: 5000,
		Goals: []report.Goal{{Metric: report.PerConn, Bound: 30}},
	},
}

// quickly shrinks a case, so that all of them together show in a few minutes
// whether they still run. The figures then mean nothing.
func (c Case) quickly() Case {
	const factor = 50
	if c.Count > 0 {
		c.Count = max(c.Count/factor, 100)
		c.Queues = min(c.Queues, c.Count)
	}
	c.TTLSpread /= 20
	return c
}

// choose picks cases by a comma-separated list of names, sets and "all": those for
// a cluster or those for one node.
func choose(list string, ofCluster bool) ([]Case, error) {
	var chosen []Case
	for word := range strings.SplitSeq(list, ",") {
		found := false
		for _, c := range cases {
			if word != c.Name && word != string(c.Set) && word != "all" {
				continue
			}
			found = true
			if c.ofCluster() != ofCluster {
				if word == "all" {
					continue
				}
				return nil, fmt.Errorf("case %q: cases of a cluster, and no others, are run with -nodes", c.Name)
			}
			if !slices.ContainsFunc(chosen, func(other Case) bool { return other.Name == c.Name }) {
				chosen = append(chosen, c)
			}
		}
		if !found {
			return nil, fmt.Errorf("no case or set is called %q; there are %s", word, strings.Join(caseNames(), ", "))
		}
	}
	return chosen, nil
}

func caseNames() []string {
	names := []string{"all", string(table), string(goamq), string(scale), string(cluster), string(clusterScale)}
	for _, c := range cases {
		names = append(names, c.Name)
	}
	return names
}
