"""An OPC UA server by asyncua; nothing outside of this folder knows the library."""
