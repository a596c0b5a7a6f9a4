//go:build invariants

package cluster

// checkEvery is how many entries of a log lie between two comparisons of its
// replicas; see checkRegularly.
const (
	checksOn   = true
	checkEvery = 4096
)
