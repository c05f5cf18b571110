-- Each channel by itself, so that a receiver of posts that does not answer keeps no mail and no reaction waiting.
DROP INDEX deliveries_by_due;
CREATE INDEX deliveries_by_channel ON deliveries (channel, due_at);
