-- What kind of line of the platform it is; none for what functions wrote.
ALTER TABLE logs ADD COLUMN kind text;
