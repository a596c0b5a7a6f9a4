package main

import (
	"entrepot/bench/internal/load"
	"entrepot/bench/internal/report"
)

const (
	cluster      set = "cluster"       // three nodes, compared with the peers
	clusterScale set = "cluster-scale" // three nodes: minutes each
)

// ofCluster tells that a case needs several nodes.
func (c Case) ofCluster() bool { return c.Set == cluster || c.Set == clusterScale }

// clusterCases are for several nodes, each of which has a replica of every queue.
// Clients are connected to the queue's leader where nothing else is said. CPU is
// that of all nodes.
var clusterCases = []Case{
	{
		Name: "r3-latency1", Title: "Replicated: one sender, 1 in flight, 1 KiB", Set: cluster, Do: traffic,
		Senders: 1, Queues: 1, InFlight: 1, Size: kib,
		Goals: []report.Goal{{Metric: report.AcceptP50, Bound: 0.8}},
	},
	{
		Name: "r3-send256", Title: "Replicated: one sender, 256 in flight, 1 KiB", Set: cluster, Do: traffic,
		Senders: 1, Queues: 1, InFlight: 256, Size: kib,
		Goals: []report.Goal{{Metric: report.Rate, Bound: 40_000}, {Metric: report.CPUPerMsg, Bound: 30}},
	},
	{
		Name: "r3-flow", Title: "Replicated: one sender, one receiver at full speed, 1 KiB", Set: cluster, Do: traffic,
		Senders: 1, Receivers: 1, Queues: 1, InFlight: 256, Credit: 1000, Size: kib,
		Goals: []report.Goal{{Metric: report.Rate, Bound: 30_000}, {Metric: report.CPUPerMsg, Bound: 50}},
	},
	{
		Name: "r3-steady2k", Title: "Replicated: 2,000 messages/s steady, one sender, one receiver, 1 KiB", Set: cluster, Do: traffic,
		Senders: 1, Receivers: 1, Queues: 1, InFlight: 256, Credit: 1000, Size: kib, Rate: 2000,
		Goals: []report.Goal{{Metric: report.EndToEndP50, Bound: 1.2}, {Metric: report.EndToEndP99, Bound: 6}},
	},
	{
		Name: "r3-follower-send", Title: "Replicated: one sender at a follower, 256 in flight, 1 KiB, against the same at the leader",
		Set: cluster, Do: followerTraffic,
		Senders: 1, Queues: 1, InFlight: 256, Size: kib,
		Goals: []report.Goal{{Metric: report.FollowerToLeader, Bound: 0.7}},
	},
	{
		Name: "r3-follower-flow", Title: "Replicated: one sender, one receiver at a follower, 1 KiB, against the same at the leader",
		Set: cluster, Do: followerTraffic,
		Senders: 1, Receivers: 1, Queues: 1, InFlight: 256, Credit: 1000, Size: kib,
		Goals: []report.Goal{{Metric: report.FollowerToLeader, Bound: 0.7}},
	},
	{
		Name: "r3-failover", Title: "kill -9 of the leader under 1,000 messages/s by way of another node", Set: cluster, Do: failover,
		Senders: 1, Receivers: 1, Queues: 1, InFlight: 256, Credit: 1000, Size: kib, Rate: 1000, Crash: true,
		Goals: []report.Goal{{Metric: report.AcceptPause, Bound: 3}, {Metric: report.ReceivePause, Bound: 3}},
	},
	{
		Name: "r3-transfer", Title: "Planned transfer of the leadership under 1,000 messages/s by way of another node", Set: cluster, Do: failover,
		Senders: 1, Receivers: 1, Queues: 1, InFlight: 256, Credit: 1000, Size: kib, Rate: 1000,
		Goals: []report.Goal{
			{Metric: report.AcceptPause, Bound: 0.3}, {Metric: report.ReceivePause, Bound: 0.3}, {Metric: report.FailedSends, Bound: 0},
		},
	},
	{
		Name: "r3-idle", Title: "A cluster without clients for 30 s", Set: cluster, Do: idleNode,
		Without: []string{natsAlways},
		Goals:   []report.Goal{{Metric: report.NodeCPUShare, Bound: 5}},
	},
	{
		Name: "r3-random", Title: "Replicated: one sender, 256 in flight, 1 KiB of random bytes: compression gains nothing and must cost nothing",
		Set: cluster, Do: traffic, OnlyEntrepot: true,
		Senders: 1, Queues: 1, InFlight: 256, Size: kib,
	},
	{
		Name: "r3-telemetry", Title: "Replicated: one sender, 256 in flight, 1 KiB of JSON telemetry",
		Set: cluster, Do: traffic, OnlyEntrepot: true,
		Senders: 1, Queues: 1, InFlight: 256, Size: kib, Body: load.TelemetryBody,
	},
	{
		Name: "r3-backlog2m", Title: "kill -9 of the leader of a queue with 2M messages of 1 KiB", Set: clusterScale, Do: failover,
		OnlyEntrepot: true,
		Senders:      1, Queues: 1, InFlight: 1024, Size: kib, Rate: 1000, Count: 2_000_000, Crash: true,
		Goals: []report.Goal{{Metric: report.AcceptPause, Bound: 3}, {Metric: report.FirstDelivery, Bound: 3}},
	},
	{
		Name: "r3-queues1m", Title: "1,000,000 declared, empty, replicated queues", Set: clusterScale, Do: emptyQueues, OnlyEntrepot: true,
		Count: 1_000_000,
		Goals: []report.Goal{{Metric: report.NodeRSS, Bound: 500}, {Metric: report.RestartTime, Bound: 5}},
	},
}
