// Package sim runs whole clusters in virtual time: real brokers with real Raft
// groups and real journals, real AMQP clients, on machines whose disks, networks and
// clocks are made up and go wrong as a seed says.
//
//	Run          one world, from its beginning to its end      run.go
//	world        machines, network, clients, log               world.go
//	machine      disk, vault, wall clock, process              machine.go, process.go
//	faults       what goes wrong, and when                     faults.go, faultkinds.go
//	producer, consumer   the workload; it writes a history     producer.go, consumer.go
//	drain        faults have stopped: everything must come     drain.go
//	history      what no correct broker could have done        package history
//
// A world runs in a bubble of testing/synctest: an hour takes a second, and a run that
// hangs is found as such. The seed fixes what is done and when, in virtual time; which
// goroutine runs first at one instant is the Go scheduler's to decide. So a seed that
// failed fails again often, not always: run it some more times before believing that
// it is well (SIMFLAGS="-sim.seed=N -sim.times=50").
//
// What virtual time can't do: a goroutine that waits for a lock stops the clock. So
// nothing here may sleep under a lock, and a slow disk is slow outside of the file
// system, see journal.Pacer.
package sim
