package config

import (
	"fmt"

	"entrepot/queue"
)

// creates are the words for queue.CreateMode.
var creates = map[Create]queue.CreateMode{
	CreateOnUse:    queue.CreateOnUse,
	CreateDeclared: queue.CreateDeclared,
	CreateNever:    queue.CreateNever,
}

// Queue is the policy as the queues know it. It fails where they would: at a
// pattern that is none, and at bounds that contradict each other.
func (p Policy) Queue() (queue.Policy, error) {
	pattern, err := queue.ParsePattern(p.Pattern)
	if err != nil {
		return queue.Policy{}, err
	}
	q := queue.Policy{
		Pattern: pattern,
		Kind:    queue.KindQueue,
		Create:  creates[p.Create],
		Limits: queue.Limits{
			TTLDefault:    p.TTLDefault,
			TTLMin:        p.TTLMin,
			TTLMax:        p.TTLMax,
			MaxMessages:   p.MaxMessages,
			MaxBytes:      uint64(p.MaxBytes),
			MaxDeliveries: p.MaxDeliveries,
			MaxUnsettled:  p.MaxUnsettled,
		},
		PerQueueMetrics: p.Metrics,
	}
	return q, q.Validate()
}

// PolicySet compiles the policies, with queue.DefaultPolicy for what no
// pattern matches, unless the file has a policy for "#" itself.
func (c Config) PolicySet() (*queue.PolicySet, error) {
	policies := make([]queue.Policy, 0, len(c.Policies)+1)
	rest := queue.DefaultPolicy()
	hasRest := false
	for _, p := range c.Policies {
		q, err := p.Queue()
		if err != nil {
			return nil, fmt.Errorf("policy %q: %w", p.Pattern, err)
		}
		hasRest = hasRest || q.Pattern.String() == rest.Pattern.String()
		policies = append(policies, q)
	}
	if !hasRest {
		policies = append(policies, rest)
	}
	return queue.NewPolicySet(policies)
}
