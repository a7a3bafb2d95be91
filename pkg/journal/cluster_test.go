package journal_test

func natsServerMain() int { return 0 }
