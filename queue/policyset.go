package queue

import (
	"fmt"
	"strings"
)

// PolicySet chooses the policy of an address: the most specific of those whose
// pattern matches. Specific means: at the first level, from the left, where two
// patterns differ, a literal comes before "*" and "*" before "#". So of
// "a/*/c", "a/b/#" and "*/b/c", the address "a/b/c" gets "a/b/#".
//
// It is a tree by level. A match looks at most at the nodes that fit the name,
// in the order of preference, and usually takes the first: O(levels), without
// allocation. A PolicySet does not change: it may be shared.
type PolicySet struct {
	root policyNode
	all  []*Policy
}

type policyNode struct {
	literal map[string]*policyNode
	any     *policyNode // "*"
	rest    *Policy     // "#"
	here    *Policy     // the pattern ends with this level
}

// NewPolicySet compiles policies. Two with the same pattern are an error.
func NewPolicySet(policies []Policy) (*PolicySet, error) {
	s := &PolicySet{}
	for i := range policies {
		p := policies[i]
		if len(p.Pattern.levels) == 0 {
			return nil, fmt.Errorf("policy %d has no pattern", i)
		}
		if err := p.Validate(); err != nil {
			return nil, fmt.Errorf("policy %q: %w", p.Pattern, err)
		}
		if place := s.root.place(p.Pattern.levels); *place == nil {
			*place = &p
		} else {
			return nil, fmt.Errorf("policy %q is there twice", p.Pattern)
		}
		s.all = append(s.all, &p)
	}
	return s, nil
}

// Policies are all policies in the order they were given.
func (s *PolicySet) Policies() []*Policy { return s.all }

// Match gives the policy of an address, nil if no pattern matches.
func (s *PolicySet) Match(name string) *Policy { return s.root.match(name, true) }

// place finds or makes the place of a pattern's policy.
func (n *policyNode) place(levels []string) **Policy {
	if len(levels) == 0 {
		return &n.here
	}
	switch level := levels[0]; level {
	case anyRest:
		return &n.rest
	case anyLevel:
		if n.any == nil {
			n.any = &policyNode{}
		}
		return n.any.place(levels[1:])
	default:
		if n.literal == nil {
			n.literal = map[string]*policyNode{}
		}
		if n.literal[level] == nil {
			n.literal[level] = &policyNode{}
		}
		return n.literal[level].place(levels[1:])
	}
}

// match finds the best policy under n for the levels that are left; more is
// false when none are (an empty name would be one empty level).
func (n *policyNode) match(name string, more bool) *Policy {
	if !more {
		if n.here != nil {
			return n.here
		}
		return n.rest
	}
	level, rest, more := strings.Cut(name, "/")
	if next := n.literal[level]; next != nil {
		if p := next.match(rest, more); p != nil {
			return p
		}
	}
	if n.any != nil {
		if p := n.any.match(rest, more); p != nil {
			return p
		}
	}
	return n.rest
}
