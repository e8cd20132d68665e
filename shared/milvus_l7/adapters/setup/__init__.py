"""The state store and the event bus: Firestore and Pub/Sub."""
