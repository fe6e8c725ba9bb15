"""Where and why two targets part: the same model executed on each, spike for spike."""
