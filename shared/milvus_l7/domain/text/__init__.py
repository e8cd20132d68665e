"""Reading, comparing and shortening text and JSON whose shape nobody guarantees."""
