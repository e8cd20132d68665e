"""What each stage of the chain does. A stage gathers through ports, decides purely, and acts."""
