package wire

// Results of an authentication [amqp-security 5.3.3.6].
const (
	SASLOK         SASLCode = 0
	SASLAuth       SASLCode = 1
	SASLSystem     SASLCode = 2
	SASLSystemPerm SASLCode = 3
	SASLSystemTemp SASLCode = 4
)

// SASLCode is the result of an authentication.
type SASLCode uint8

// The SASL frames [amqp-security 5.3.3]. They own their memory.
type (
	// SASLMechanisms is the server's offer; at least one.
	SASLMechanisms struct{ SASLServerMechanisms []Symbol }

	// SASLInit is the client's choice. InitialResponse nil is absent; Hostname
	// empty is absent.
	SASLInit struct {
		Mechanism       Symbol
		InitialResponse []byte
		Hostname        string
	}

	// SASLChallenge is a question of the server's.
	SASLChallenge struct{ Challenge []byte }

	// SASLResponse is the client's answer to it.
	SASLResponse struct{ Response []byte }

	// SASLOutcome ends the dialogue.
	SASLOutcome struct {
		Code           SASLCode
		AdditionalData []byte
	}
)
