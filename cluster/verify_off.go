//go:build !invariants

package cluster

// In production replicas are compared on demand: a hash costs O(queues).
const (
	checksOn   = false
	checkEvery = 4096
)
