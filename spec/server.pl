#!/usr/bin/perl
# A small HTTP server on the loopback for the specs: serves the files of a folder, with ranges.
# Usage: perl server.pl FOLDER PORT_FILE LOG_FILE [CUT]
# Writes its port to PORT_FILE and a line for each request to LOG_FILE. With CUT, the first answer
# for each path breaks off after so many bytes. Ends by itself after two minutes.
use strict;
use warnings;
use IO::Socket::INET;

my ($folder, $port_file, $log_file, $cut) = @ARGV;
alarm 120;
$SIG{PIPE} = 'IGNORE';
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8, ReuseAddr => 1)
  or die "no socket: $!";
open(my $log, '>>', $log_file) or die "$log_file: $!";
$log->autoflush(1);
open(my $port, '>', "$port_file.new") or die "$port_file: $!";
print $port $server->sockport;
close $port;
rename "$port_file.new", $port_file;
my %seen;

sub answer {
  my ($client, $path, $first) = @_;
  my $file = "$folder$path";
  if ($path =~ /\.\./ || !-f $file) {
    print $client "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    return;
  }
  open(my $in, '<:raw', $file) or return;
  my $bytes = do { local $/; <$in> };
  $bytes = '' unless defined $bytes;
  my $size = length $bytes;
  if (defined $first && $first >= $size) {
    print $client "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */$size\r\n"
      . "Content-Length: 0\r\nConnection: close\r\n\r\n";
    return;
  }
  my $body = substr $bytes, $first // 0;
  my $head = defined $first
    ? "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes $first-" . ($size - 1) . "/$size\r\n"
    : "HTTP/1.1 200 OK\r\n";
  print $client $head . "Accept-Ranges: bytes\r\nContent-Length: " . length($body)
    . "\r\nConnection: close\r\n\r\n";
  $body = substr $body, 0, $cut if $cut && !$seen{$path}++;
  print $client $body;
}

while (my $client = $server->accept) {
  binmode $client;
  my ($path, $first) = ('/', undef);
  while (my $line = <$client>) {
    $path = $1 if $line =~ m{^GET (\S+) HTTP};
    $first = $1 if $line =~ /^Range: bytes=(\d+)-/i;
    last if $line =~ /^\r?\n$/;
  }
  print $log "$path " . (defined $first ? $first : '-') . "\n";
  answer($client, $path, $first);
  close $client;
}
