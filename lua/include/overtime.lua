local OVERTIME = 600000 -- milliseconds that a payment may go on beyond the maximum lifetime of its hold
