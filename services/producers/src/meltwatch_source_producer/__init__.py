"""The service that publishes the cameras and meters of a plant file, both in one process."""
