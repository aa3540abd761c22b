"""One module a library. An adapter decides nothing: it delivers what came, or says why not."""
