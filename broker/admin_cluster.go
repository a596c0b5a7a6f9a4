package broker

import (
	"fmt"

	"entrepot/broker/admin"
)

// Cluster implements admin.Broker.
func (b *Broker) Cluster() (admin.Cluster, error) {
	return nil, fmt.Errorf("%w: this node is standalone; --cluster-listen makes it one of a cluster", admin.ErrConflict)
}
