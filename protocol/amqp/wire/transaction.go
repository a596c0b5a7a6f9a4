package wire

// Capabilities of a coordinator [amqp-transactions 4.5.6].
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

// TransactionalState is a state within a transaction [amqp-transactions 4.5.7].
type TransactionalState struct {
	TxnID []byte
	// Outcome: StateNone is absent.
	Outcome DeliveryState
}
