"""EDIFACT (ISO 9735): what is said of it is said in the modules."""
