# MsSQL.IO_requests: requests of SQL Server that wait for the disk at this moment. freedomkk's windows-agent sent it; no
# performance counter has it, so this asks SQL Server (sys.dm_io_pending_io_requests), with Windows authentication: as the
# account that the agent runs as, without a password anywhere.
#
# To bind:  mssql/60_io_requests.ps1                      the default instance, without a tag
#           mssql/60_io_requests.ps1(SQLEXPRESS,PAYROLL)  these, each with the tag instance=NAME; MSSQLSERVER is the default one
#           mssql/60_io_requests.ps1(SQLCL1\PAYROLL)      an instance of a failover cluster, which answers under a name of its own
#
# The account needs a login and one right. For the agent as LocalSystem, in SQL Server:
#     GRANT VIEW SERVER STATE TO [NT AUTHORITY\SYSTEM];
# That login is there mostly; where it is not, before it:
#     CREATE LOGIN [NT AUTHORITY\SYSTEM] FROM WINDOWS;
# Other accounts: [NT SERVICE\OpenFalconAgent], [DOMAIN\user]. From SQL Server 2022 on VIEW SERVER PERFORMANCE STATE will do.
#
# For PowerShell 2.0 and later, which has no ConvertTo-Json.

$ErrorActionPreference = 'Stop'

function Get-Quoted([string] $text) {
    $quoted = New-Object System.Text.StringBuilder
    foreach ($c in $text.ToCharArray()) {
        $code = [int] $c
        if ($code -eq 34 -or $code -eq 92) {
            [void] $quoted.Append('\').Append($c)
        } elseif ($code -lt 32 -or $code -gt 126) {
            # ASCII alone, so that no code page matters.
            [void] $quoted.AppendFormat('\u{0:x4}', $code)
        } else {
            [void] $quoted.Append($c)
        }
    }
    '"' + $quoted.ToString() + '"'
}

function Get-IoRequests([string] $source) {
    $where = New-Object System.Data.SqlClient.SqlConnectionStringBuilder
    $where['Data Source'] = $source
    $where['Integrated Security'] = $true
    $where['Connect Timeout'] = $patience
    $where['Application Name'] = 'falcon-agent plugin'
    $connection = New-Object System.Data.SqlClient.SqlConnection($where.ToString())
    try {
        $connection.Open()
        $command = $connection.CreateCommand()
        $command.CommandTimeout = $patience
        $command.CommandText = 'SELECT COUNT(*) FROM sys.dm_io_pending_io_requests'
        [int] $command.ExecuteScalar()
    } finally {
        $connection.Dispose()
    }
}

# The agent says who this host is and how often this runs; by hand neither is there.
$endpoint = $env:FALCON_ENDPOINT
if (-not $endpoint) { $endpoint = [Environment]::MachineName }
$step = $env:FALCON_STEP
if (-not $step) { $step = '60' }
$epoch = New-Object DateTime(1970, 1, 1, 0, 0, 0, [DateTimeKind]::Utc)
$now = [long] [Math]::Floor(([DateTime]::UtcNow - $epoch).TotalSeconds)

$instances = @($args)
if ($instances.Count -eq 0) { $instances = @('') }
# Seconds to connect, and again for the answer: all that hang together are to fit into the cycle, or the points of the others are
# lost with theirs.
$patience = [int] [Math]::Min(10, [Math]::Max(1, [Math]::Floor(([int] $step - 10) / (2 * $instances.Count))))
$points = @()
$failed = $false
foreach ($instance in $instances) {
    $source = '.\' + $instance
    if ($instance -like '*\*') { $source = $instance }
    if ($instance -eq '' -or $instance -eq 'MSSQLSERVER') { $source = '.' }
    $tags = ''
    if ($instance -ne '') { $tags = 'instance=' + $instance }
    try {
        $value = Get-IoRequests $source
        $points += '{"endpoint":' + (Get-Quoted $endpoint) + ',"metric":"MsSQL.IO_requests","timestamp":' + $now +
            ',"step":' + $step + ',"value":' + $value + ',"counterType":"GAUGE","tags":' + (Get-Quoted $tags) + '}'
    } catch {
        # With this on standard error the points of the others count in spite of the exit code, and /plugins shows why it failed.
        [Console]::Error.WriteLine($source + ': ' + $_.Exception.Message)
        $failed = $true
    }
}
[Console]::Out.Write('[' + ($points -join ',') + ']')
if ($failed) { exit 1 }
exit 0
