package peer

// allPIDs are the processes of all living nodes.
func allPIDs(c Cluster) []int {
	var pids []int
	for node := range c.Nodes() {
		pids = append(pids, c.NodePIDs(node)...)
	}
	return pids
}
