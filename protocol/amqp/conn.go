package amqp


// Conn is the engine of one connection.
type Conn struct {
	cfg *Config
}
