package wire

// Capabilities of a coordinator [amqp-transactions 4.5.7].
const (
	TxnLocal                Symbol = "amqp:local-transactions"
	TxnDistributed          Symbol = "amqp:distributed-transactions"
	TxnPromotable           Symbol = "amqp:promotable-transactions"
	TxnMultiplePerSession   Symbol = "amqp:multi-txns-per-ssn"
	TxnMultipleSessionsEach Symbol = "amqp:multi-ssns-per-txn"
)

// Coordinator is the target of a link that controls transactions
// [amqp-transactions 4.5.1]. It owns its memory, like all types of this file.
type Coordinator struct{ Capabilities []Symbol }

// Declare is the message that begins a transaction [amqp-transactions 4.5.2].
type Declare struct {
	// GlobalID is of no type that the specification defines; nil is absent.
	GlobalID any
}

// Discharge is the message that ends a transaction [amqp-transactions 4.5.3].
type Discharge struct {
	TxnID []byte
	Fail  bool
}

// Declared is the outcome of Declare [amqp-transactions 4.5.5].
type Declared struct{ TxnID []byte }

// TransactionalState is a state within a transaction [amqp-transactions 4.5.6].
type TransactionalState struct {
	TxnID []byte
	// Outcome: StateNone is absent.
	Outcome DeliveryState
}

// Descriptor returns DescCoordinator.
func (*Coordinator) Descriptor() Descriptor { return DescCoordinator }

// Append implements Composite.
func (c *Coordinator) Append(b []byte) []byte {
	w := writeFields(b, DescCoordinator)
	w.symbols(c.Capabilities)
	return w.close()
}

// Decode implements Composite.
func (c *Coordinator) Decode(r *Reader) error {
	f := readFields(r, DescCoordinator)
	*c = Coordinator{Capabilities: f.symbols("capabilities")}
	return f.close()
}

// Descriptor returns DescDeclare.
func (*Declare) Descriptor() Descriptor { return DescDeclare }

// Append implements Composite.
func (d *Declare) Append(b []byte) []byte {
	w := writeFields(b, DescDeclare)
	w.any(d.GlobalID)
	return w.close()
}

// Decode implements Composite.
func (d *Declare) Decode(r *Reader) error {
	f := readFields(r, DescDeclare)
	*d = Declare{GlobalID: f.any("global-id")}
	return f.close()
}

// Descriptor returns DescDischarge.
func (*Discharge) Descriptor() Descriptor { return DescDischarge }

// Append implements Composite.
func (d *Discharge) Append(b []byte) []byte {
	w := writeFields(b, DescDischarge)
	w.put(AppendBinary(w.b, d.TxnID))
	w.flag(d.Fail)
	return w.close()
}

// Decode implements Composite.
func (d *Discharge) Decode(r *Reader) error {
	f := readFields(r, DescDischarge)
	*d = Discharge{TxnID: f.mustBinary("txn-id"), Fail: f.flag("fail")}
	return f.close()
}

// Descriptor returns DescDeclared.
func (*Declared) Descriptor() Descriptor { return DescDeclared }

// Append implements Composite.
func (d *Declared) Append(b []byte) []byte {
	w := writeFields(b, DescDeclared)
	w.put(AppendBinary(w.b, d.TxnID))
	return w.close()
}

// Decode implements Composite.
func (d *Declared) Decode(r *Reader) error {
	f := readFields(r, DescDeclared)
	*d = Declared{TxnID: f.mustBinary("txn-id")}
	return f.close()
}

// Descriptor returns DescTransactionalState.
func (*TransactionalState) Descriptor() Descriptor { return DescTransactionalState }

// Append implements Composite.
func (s *TransactionalState) Append(b []byte) []byte {
	w := writeFields(b, DescTransactionalState)
	w.put(AppendBinary(w.b, s.TxnID))
	w.state(&s.Outcome)
	return w.close()
}

// Decode implements Composite.
func (s *TransactionalState) Decode(r *Reader) error {
	f := readFields(r, DescTransactionalState)
	*s = TransactionalState{TxnID: f.mustBinary("txn-id"), Outcome: f.outcome("outcome")}
	return f.close()
}
